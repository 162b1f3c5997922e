import * as fc from "fast-check";

/** Runs of one property: few, because each may cost I/O. */
const runs = 12;

/**
 * Checks a property with random input. A failure names its seed and the smallest input that fails; set `STOWAGE_SEED` to
 * that seed to see it again.
 */
export async function property<T>(arbitrary: fc.Arbitrary<T>, check: (input: T) => Promise<void>, numRuns: number = runs): Promise<void> {
  const seed = Number(process.env["STOWAGE_SEED"] ?? Number.NaN);
  await fc.assert(fc.asyncProperty(arbitrary, check), { numRuns, ...(Number.isInteger(seed) && { seed }) });
}
