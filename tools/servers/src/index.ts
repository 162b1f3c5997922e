export { cephServer } from "./ceph.ts";
export type { CephOptions, CephServer } from "./ceph.ts";
export { missingFor, skipReason } from "./programs.ts";
export { postgresServer } from "./postgres.ts";
export { redisCluster, redisSentinel, redisServer } from "./redis.ts";
export type { RedisCluster, RedisOptions, RedisSentinel, RedisServer } from "./redis.ts";
export type { RunningServer } from "./running-server.ts";
export { swiftServer } from "./swift.ts";
export type { S3Address } from "./s3-address.ts";
