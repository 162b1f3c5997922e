export { behind, BehindStorage } from "./behind.ts";
export type { DeadLetter } from "./drain.ts";
export type { BehindOptions } from "./options.ts";
export type { BehindStats } from "./stats.ts";
