export * from "./memory.ts";
export { MemoryStorage } from "./memory-storage.ts";
export type { MemoryLimits, ValueKind } from "./memory-storage.ts";
export { ByteMemoryStorage } from "./byte-memory-storage.ts";
