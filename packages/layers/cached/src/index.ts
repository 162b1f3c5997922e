export { cached, CachedStorage } from "./cached.ts";
export type { CacheStats } from "./cached.ts";
export type { EvictionName } from "./eviction/eviction.ts";
export type { CachedOptions } from "./options.ts";
