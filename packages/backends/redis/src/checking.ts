import type { Options } from "@stowage/core";
import { checkOptions, StorageError } from "@stowage/core";
import type { RedisConnectionOptions } from "./address.ts";
import { storageName } from "./errors.ts";
import { definitions } from "./options.ts";
import type { RedisOptions } from "./redis-storage.ts";

/** Refuses options that do not fit together. */
export function checkStorageOptions(options: RedisOptions): void {
  checkConnectionOptions(definitions, options);
  const { cluster, sentinel, ordered = false, durability = "memory" } = options;
  if (cluster !== undefined && ordered) refuse("a cluster cannot keep an ordered index, because its keys lie on many nodes.");
  if (durability !== "memory" && (cluster ?? sentinel) !== undefined) {
    refuse('durability must be "memory" with sentinels or a cluster: a failover loses what was not replicated.');
  }
}

export function checkConnectionOptions(known: Options, options: RedisConnectionOptions): void {
  checkOptions(known, options, storageName);
  const { url, sentinel, cluster } = options;
  if ([url, sentinel, cluster].filter((way) => way !== undefined).length > 1) refuse("give only one of url, sentinel and cluster.");
}

/** Options as they may be shown. */
export function redacted({ clock: _clock, password, sentinel, ...rest }: RedisOptions): Readonly<Record<string, unknown>> {
  return {
    ...rest,
    ...(password !== undefined && { password: "[redacted]" }),
    ...(sentinel !== undefined && { sentinel: sentinel.password === undefined ? sentinel : { ...sentinel, password: "[redacted]" } }),
  };
}

function refuse(problem: string): never {
  throw new StorageError("invalid-option", `${storageName}: ${problem}`, { storage: storageName });
}
