import type { AnyStorage, Clock, Options, Storage } from "@stowage/core";
import { checkOptions, option, StorageError, systemClock } from "@stowage/core";
import type { Bus } from "./bus.ts";
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
  /**
   * A second level behind memory: any storage of the same values with `ttl` and metadata, which `envelope()` adds where
   * they are missing. It belongs to the cache, which closes it; wrap it in `borrowed()` where it does not. @default none
   */
  readonly store?: Storage<V> | undefined;
  /** Milliseconds after which a call of the store is given up; a clear has `loadTimeout`. @default 1_000 */
  readonly storeTimeout?: number | undefined;
  /** Tells other caches over the same data what changes here, and the other way round. Needs a `ttl`. @default none */
  readonly bus?: Bus | undefined;
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
  readonly store: AnyStorage | undefined;
  readonly storeTimeout: number;
  readonly bus: Bus | undefined;
  readonly clock: Clock;
}

/** The options as a storage file knows them. `sizeOf` and `bus` can only be given in code. */
export const definitions: Options = {
  eviction: option.choice("Who goes when the cache is full.", ["s3-fifo", "w-tinylfu", "lru"], { default: "s3-fifo" }),
  maxEntries: option.whole("Entries at the most.", { min: 1, default: 10_000 }),
  maxSize: option.size("Bytes of all values at the most; without it only entries are counted.", { min: 1 }),
  ttl: option.duration("How long an entry is served without asking below; without it as long as it lives.", { min: 1 }),
  staleWhileRevalidate: option.duration("How long after ttl the old value is served while a new one is loaded.", { default: 0 }),
  staleIfError: option.duration("How long after ttl the old value is served when loading fails for a passing reason.", { default: 0 }),
  missingTtl: option.duration("How long a missing entry is remembered as missing.", { default: 0 }),
  loadTimeout: option.duration("After how long a load is given up for all who wait for it.", { min: 1, default: 30_000 }),
  write: option.choice("Whether a value that was put is cached, or loaded by the next read.", ["through", "around"], {
    default: "through",
  }),
  values: option.choice("Whether everybody gets a copy, the same frozen value, or the same value.", ["cloned", "frozen", "shared"], {
    default: "cloned",
  }),
  store: option.storage("A second level behind memory, with the same values."),
  storeTimeout: option.duration("After how long a call of the store is given up.", { min: 1, default: 1_000 }),
};

/** What code may leave without a bound. */
const boundless = ["maxEntries", "maxSize", "ttl"];

/** Options with their defaults, checked. */
export function settle<V>(options: CachedOptions<V>): Settings {
  checkOptions(definitions, bounded(options), "cached", ["sizeOf", "bus"]);
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
    store: options.store,
    storeTimeout: options.storeTimeout ?? 1_000,
    bus: options.bus,
    clock: options.clock ?? systemClock,
  };
  const { sizeOf, bus, maxEntries, maxSize, ttl } = settings;
  check(sizeOf === undefined || typeof sizeOf === "function", "sizeOf must be a function from a value to bytes");
  const isBounded = Number.isFinite(maxEntries) || Number.isFinite(maxSize);
  check(isBounded, "maxEntries must be finite where maxSize is not given: a cache without a bound is a leak");
  check(bus === undefined || isBus(bus), "bus must be an object with publish and subscribe");
  check(bus === undefined || Number.isFinite(ttl), "a bus needs a ttl, which bounds how long a lost message is not noticed");
  return settings;
}

/** Without what code may leave boundless. What is no object is left to the check. */
function bounded<V>(options: CachedOptions<V>): CachedOptions<V> {
  if (typeof options !== "object" || options === null) return options;
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== Number.POSITIVE_INFINITY || !boundless.includes(name)),
  );
}

function isBus(bus: unknown): boolean {
  const { publish, subscribe } = (bus ?? {}) as Partial<Bus>;
  return typeof publish === "function" && typeof subscribe === "function";
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new StorageError("invalid-option", `cached: ${problem}.`, { storage: "cached" });
}
