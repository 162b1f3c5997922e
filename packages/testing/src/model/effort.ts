/** How hard random tests try: a short form for every day, and a full one with `STOWAGE_EFFORT=full`. */
export function effort(short: number, full: number): number {
  return process.env["STOWAGE_EFFORT"] === "full" ? full : short;
}

/** Milliseconds that a random test may take. */
export const randomTestTimeout: number = effort(60_000, 3_600_000);
