export type { AbilityName } from "./contract/abilities.ts";
export { contract } from "./contract/contract.ts";
export { describeStorage } from "./contract/describe-storage.ts";
export type { ContractContext, ContractPromise, Section } from "./contract/promise.ts";
export { sections } from "./contract/promise.ts";
export type { PromiseResult, RunOptions } from "./contract/run.ts";
export { checkPromise, expectKept, runContract } from "./contract/run.ts";
export type { CreateContext, CreatedStorage, ServerTime, StorageSubject } from "./contract/subject.ts";
