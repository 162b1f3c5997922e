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

/** A character of any kind but half of a surrogate pair. Made by hand, because the units of `fc.string` take seconds to load. */
const character = fc
  .oneof(fc.integer({ min: 1, max: 0x7f }), fc.integer({ min: 0x80, max: 0xffff }), fc.integer({ min: 0x10000, max: 0x10ffff }))
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

/** Well-formed text of any characters but NUL, not empty. */
export const anyText: fc.Arbitrary<string> = fc.string({ unit: character, minLength: 1, maxLength: 40 });
