export { memoryStorage } from "./memory.ts";
export type { MemoryOptions, MemoryValueOptions } from "./memory.ts";
export { MemoryStorage } from "./memory-storage.ts";
export { ByteMemoryStorage } from "./byte-memory-storage.ts";
