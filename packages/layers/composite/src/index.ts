export { composite, CompositeStorage } from "./composite.ts";
export type { CompositeStats, ReplicaStats } from "./composite.ts";
export type { Health } from "./breaker.ts";
export type { CompositeOptions, NamedReplica, Quorum } from "./options.ts";
export type { RepairOptions, RepairReport } from "./repairs.ts";
