export * from "./virtual-clock.ts";
export * from "./mock-storage.ts";
export * from "./faulty.ts";
export type { RecordedCall } from "./recording.ts";
export { freshSeed, Random } from "./faults/random.ts";
export type { FaultKind } from "./faults/fault.ts";
export type { CallName } from "./faults/intercepted-storage.ts";
export type { Answers, Failing, Script, ScriptedCall, StreamTiming, Timing, Where } from "./faults/script.ts";
export type { On } from "./faults/scripted-storage.ts";
