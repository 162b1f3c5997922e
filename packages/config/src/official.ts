import type { Plugin, Trait } from "@stowage/core";

/** What is known of an official name before its package is loaded. */
export interface Official {
  readonly package: string;
  readonly kind: Plugin["kind"];
  readonly traits: readonly Trait[];
}

/** Every name that a storage file may use without handing in a plugin. Nothing else is ever imported. */
export const official: ReadonlyMap<string, Official> = new Map<string, Official>([
  ["memory", backend("memory")],
  ["file", backend("file")],
  ["keyv", backend("keyv")],
  ["level", backend("level")],
  ["lmdb", backend("lmdb")],
  ["redis", backend("redis")],
  ["s3", backend("s3")],
  ["sqlite", backend("sqlite")],
  ["composite", backend("composite", "replicates")],

  ["json", codec("core")],
  ["text", codec("core")],

  ["limited", layer("core", "limits")],
  ["prefixed", layer("core", "rekeys")],
  ["readOnly", layer("core")],

  ["behind", layer("behind", "queues")],
  ["retry", layer("retry", "retries")],
  ["encrypted", layer("encrypted", "encrypts")],
  ["envelope", layer("envelope", "envelops")],
  ["compressed", layer("compressed", "compresses")],
  ["cached", layer("cached", "caches")],
  ["metrics", layer("metrics", "measures")],
  ["events", layer("events")],
]);

function backend(name: string, ...traits: readonly Trait[]): Official {
  return { package: `@stowage/${name}`, kind: "backend", traits };
}

function codec(name: string): Official {
  return { package: `@stowage/${name}`, kind: "codec", traits: ["codes"] };
}

function layer(name: string, ...traits: readonly Trait[]): Official {
  return { package: `@stowage/${name}`, kind: "layer", traits };
}
