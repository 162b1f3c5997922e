export * from "./envelope.ts";
export * from "./scrub.ts";
export type { SweepOptions, SweepProgress } from "./sweep.ts";
