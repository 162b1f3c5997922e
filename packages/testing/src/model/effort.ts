/** How often the full form does what the short form does once. */
const factor = 20;

const full: boolean = process.env["STOWAGE_EFFORT"] === "full";

/** Runs of a random test: few for every day, twenty times as many with `STOWAGE_EFFORT=full`. */
export function runsOf(short: number): number {
  return full ? short * factor : short;
}

/** Steps of one run at the most. */
export const stepLimit: number = full ? 100 : 40;

/** Milliseconds that a random test may take. */
export const randomTestTimeout: number = full ? 3_600_000 : 60_000;
