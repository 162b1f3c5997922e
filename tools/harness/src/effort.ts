/** How long the long harnesses run: short in `npm test`, in full by `STOWAGE_EFFORT=full`; kills by `STOWAGE_KILLS`. */
const full = process.env["STOWAGE_EFFORT"] === "full";

interface Effort {
  readonly full: boolean;
  readonly kills: number;
  readonly increments: number;
  readonly processTime: number;
  readonly powerLosses: number;
}

export const effort: Effort = {
  full,
  /** Kills of a writer for each target. */
  kills: Number(process.env["STOWAGE_KILLS"] ?? (full ? 50 : 5)),
  /** Increments of the shared counter in the test of many processes. */
  increments: full ? 250 : 25,
  /** Milliseconds that many processes write and read. */
  processTime: full ? 5_000 : 1_000,
  /** Rounds of the power-loss test. */
  powerLosses: full ? 10 : 2,
};
