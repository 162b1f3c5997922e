export * from "./encrypted.ts";
export type { KeySecret, PassphraseKey, SecretReference } from "./key-sources.ts";
export type { RewrapOptions, Rewrapped } from "./rewrapper.ts";
export * from "./rewrite.ts";
export type { SuiteName } from "./suites.ts";
