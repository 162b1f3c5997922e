export { behind, BehindStorage } from "./behind.ts";
export type { BehindStats } from "./behind.ts";
export type { BehindOptions } from "./options.ts";
export type { DeadLetter } from "./queue.ts";
