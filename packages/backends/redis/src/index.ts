export { redisStorage, RedisStorage } from "./redis-storage.ts";
export type { RedisOptions } from "./redis-storage.ts";
export type { RedisConnectionOptions, RedisSentinelOptions } from "./address.ts";
export type { RedisLock } from "./lock.ts";
export { redisBus } from "./bus.ts";
export type { RedisBus, RedisBusMessage, RedisBusOptions } from "./bus.ts";
