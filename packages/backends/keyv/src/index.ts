export { keyvStorage } from "./keyv-storage.ts";
export type { KeyvOptions } from "./keyv-storage.ts";
export type { KeyvAdapter } from "./adapter.ts";
export { toKeyv } from "./to-keyv.ts";
export type { KeyvStore, ToKeyvOptions } from "./to-keyv.ts";
