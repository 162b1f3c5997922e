import type { Clock } from "@stowage/core";
import { StorageError, systemClock } from "@stowage/core";
import type { EvictionName } from "./eviction/eviction.ts";

export interface CachedOptions<V = unknown> {
  /** Who goes when the cache is full. @default "s3-fifo" */
  readonly eviction?: EvictionName | undefined;
  /** Entries at the most. @default 10_000 */
  readonly maxEntries?: number | undefined;
  /** Bytes of all values at the most, as `sizeOf` counts them. @default unlimited */
  readonly maxSize?: number | undefined;
  /** Bytes of a value. @default its length for bytes, an estimate for other values */
  readonly sizeOf?: ((value: V) => number) | undefined;
  /** Milliseconds that an entry is served without asking below, its own expiry respected. @default as long as it lives */
  readonly ttl?: number | undefined;
  /** Milliseconds after `ttl` in which the old value is served while a new one is loaded. @default 0 */
  readonly staleWhileRevalidate?: number | undefined;
  /** Milliseconds after `ttl` in which the old value is served when loading fails for a passing reason. @default 0 */
  readonly staleIfError?: number | undefined;
  /** Milliseconds that a missing entry is remembered as missing; 0 to ask each time. @default 0 */
  readonly missingTtl?: number | undefined;
  /** Milliseconds after which a load is given up for all who wait for it. @default 30_000 */
  readonly loadTimeout?: number | undefined;
  /** `through`: a value that was put is cached; `around`: the next read loads it. @default "through" */
  readonly write?: "through" | "around" | undefined;
  /**
   * `cloned`: everybody gets a copy. `frozen`: everybody gets the same frozen value. `shared`: everybody gets the same value
   * and must leave it as it is. The last two are faster and narrow the promise that what `get` gave belongs to the caller.
   * @default "cloned"
   */
  readonly values?: "cloned" | "frozen" | "shared" | undefined;
  /** @default for `loadTimeout` the clock of the machine, for all that expires that of the storage below */
  readonly clock?: Clock | undefined;
}

export interface Settings {
  readonly eviction: EvictionName;
  readonly maxEntries: number;
  readonly maxSize: number;
  readonly sizeOf: ((value: unknown) => number) | undefined;
  readonly ttl: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly missingTtl: number;
  readonly loadTimeout: number;
  readonly write: "through" | "around";
  readonly values: "cloned" | "frozen" | "shared";
  readonly clock: Clock;
}

/** Options with their defaults, checked. */
export function settle<V>(options: CachedOptions<V>): Settings {
  const settings: Settings = {
    eviction: options.eviction ?? "s3-fifo",
    maxEntries: options.maxEntries ?? 10_000,
    maxSize: options.maxSize ?? Number.POSITIVE_INFINITY,
    sizeOf: options.sizeOf as ((value: unknown) => number) | undefined,
    ttl: options.ttl ?? Number.POSITIVE_INFINITY,
    staleWhileRevalidate: options.staleWhileRevalidate ?? 0,
    staleIfError: options.staleIfError ?? 0,
    missingTtl: options.missingTtl ?? 0,
    loadTimeout: options.loadTimeout ?? 30_000,
    write: options.write ?? "through",
    values: options.values ?? "cloned",
    clock: options.clock ?? systemClock,
  };
  const oneOf = (name: keyof Settings, names: readonly string[]): void =>
    check(names.includes(settings[name] as string), name, `one of ${names.join(", ")}`);
  const from = (name: keyof Settings, least: number, finite: boolean): void => {
    const value = settings[name];
    const fits = typeof value === "number" && value >= least && (!finite || Number.isFinite(value));
    check(fits, name, `a ${finite ? "finite " : ""}number of at least ${least}`);
  };
  oneOf("eviction", ["s3-fifo", "w-tinylfu", "lru"]);
  oneOf("write", ["through", "around"]);
  oneOf("values", ["cloned", "frozen", "shared"]);
  from("maxEntries", 1, false);
  from("maxSize", 1, false);
  from("ttl", 1, false);
  from("staleWhileRevalidate", 0, true);
  from("staleIfError", 0, true);
  from("missingTtl", 0, true);
  from("loadTimeout", 1, true);
  check(settings.sizeOf === undefined || typeof settings.sizeOf === "function", "sizeOf", "a function from a value to bytes");
  const bounded = Number.isFinite(settings.maxEntries) || Number.isFinite(settings.maxSize);
  check(bounded, "maxEntries", "finite where maxSize is not given: a cache without a bound is a leak");
  return settings;
}

function check(holds: boolean, name: string, expected: string): void {
  if (holds) return;
  throw new StorageError("invalid-option", `cached: ${name} must be ${expected}.`, { storage: "cached" });
}
