export type { Bus, Invalidation, Target } from "./bus.ts";
export { localBus } from "./bus.ts";
export { cached, CachedStorage } from "./cached.ts";
export type { EvictionName } from "./eviction/eviction.ts";
export type { CachedOptions } from "./options.ts";
export type { CacheStats } from "./stats.ts";
export type { Evicted } from "./slots.ts";
