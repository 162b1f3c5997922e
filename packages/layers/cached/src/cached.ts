import type {
  AnyLayer,
  AnyStorage,
  BatchOptions,
  ByteLayer,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Layer,
  Operation,
  PutOptions,
  ReadOptions,
  Storage,
  WriteOptions,
} from "@stowage/core";
import {
  anyLayer,
  cancelSource,
  checkClearOptions,
  checkKeys,
  checkOperations,
  checkReadOptions,
  Deadlines,
  ForwardingStorage,
  isByteStorage,
  isExpired,
  Lifecycle,
  rejecting,
  resolveRange,
  StorageError,
  streamOf,
  withExpiry,
} from "@stowage/core";
import { BusLink } from "./bus-link.ts";
import type { Target } from "./bus.ts";
import { Changes } from "./changes.ts";
import { makeEviction } from "./eviction/eviction.ts";
import type { Load } from "./load.ts";
import { Loads } from "./loads.ts";
import { infoOf, MemoryLevel } from "./memory-level.ts";
import type { CachedOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import { SecondLevel } from "./second-level.ts";
import type { Evicted, Slot } from "./slots.ts";
import { Slots } from "./slots.ts";
import type { CacheStats } from "./stats.ts";
import { checkStore } from "./store-option.ts";
import { ownershipOf } from "./values.ts";
import { Writes } from "./writes.ts";

/**
 * Keeps what was read in memory. A read is never older than a write that was acknowledged through this layer: an answer
 * from below is cached only when nothing wrote, deleted, cleared or invalidated its key meanwhile, and a write that failed,
 * or whose outcome is unknown, leaves the key uncached.
 *
 * Place in the stack: above the codec, so that values are decoded once; below metrics.
 *
 * @throws StorageError `invalid-option`
 */
export function cached(options: CachedOptions<Bytes> & { readonly store: ByteStorage }): ByteLayer;
export function cached<V>(options: CachedOptions<V> & { readonly store: Storage<V> }): Layer<Storage<V>, Storage<V>>;
export function cached<V = unknown>(options?: CachedOptions<V>): AnyLayer;
export function cached<V = unknown>(options: CachedOptions<V> = {}): AnyLayer {
  const settings = settle(options);
  return anyLayer((inner) => new CachedStorage(inner, settings, options.clock));
}

/** What `cached()` makes; `findLayer(storage, CachedStorage)` finds it. */
export class CachedStorage<V> extends ForwardingStorage<V> {
  readonly name = "cached";
  override readonly inner: readonly AnyStorage[];
  readonly #settings: Settings;
  readonly #slots: Slots<V>;
  readonly #memory: MemoryLevel<V>;
  readonly #store: SecondLevel<V> | undefined;
  readonly #bus: BusLink | undefined;
  readonly #writes: Writes;
  readonly #loads: Loads<V>;
  readonly #changes: Changes<V>;
  readonly #lifecycle: Lifecycle;
  #hits = 0;
  #misses = 0;
  #staleServed = 0;

  constructor(inner: Storage<V>, settings: Settings, clock?: Clock) {
    super(inner, clock);
    const { store, bus, loadTimeout, clock: timer } = settings;
    if (store !== undefined) checkStore(store, inner, settings);
    this.inner = store === undefined ? [inner] : [inner, store];
    this.#settings = settings;
    this.#slots = new Slots(makeEviction<Slot<V>>(settings.eviction, settings), settings);
    this.#memory = new MemoryLevel(this.#slots, settings, ownershipOf(settings.values, isByteStorage(inner)), this.clock);
    this.#store = store && new SecondLevel<V>(store, { ...settings, timer, clock: this.clock });
    this.#bus = bus && new BusLink(bus, timer, (target) => void this.#changes.forget(target));
    this.#writes = new Writes(loadTimeout, timer);
    this.#lifecycle = new Lifecycle({ name: this.name, clock: timer, release: () => this.#release() });
    const levels = { slots: this.#slots, store: this.#store, writes: this.#writes };
    const deadlines = new Deadlines(loadTimeout, timer);
    this.#loads = new Loads({
      ...levels,
      below: inner,
      clock: this.clock,
      deadlines,
      own: (entry) => this.#memory.owned(entry),
      keep: (...loaded) => this.#lifecycle.ready && this.#memory.keepLoaded(...loaded),
    });
    this.#changes = new Changes({ ...levels, loads: this.#loads, bus: this.#bus, lifecycle: this.#lifecycle });
  }

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("get", options);
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#memory.isFresh(slot)) return this.#getMissing(slot, key, options);
    this.#hits++;
    this.#slots.use(slot);
    return slot.promise ?? this.#memory.copyOf(slot);
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("getEntry", options);
    return this.#find(key, options).then((entry) => this.#memory.entryOf(entry));
  }

  /** Asks below once for all that is neither fresh nor being loaded. */
  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    if (this.#mustRefuse(options)) return await this.#refuse("getEntries", options);
    checkKeys(keys, "getEntries", this.name);
    this.#bus?.join();
    const missing = new Set(keys.filter((key) => !this.#hasFresh(key) && !this.#loads.has(key)));
    const loads = missing.size > 1 ? this.#loads.loadAll([...missing]) : undefined;
    const found = await Promise.all(keys.map((key) => this.#find(key, options, loads?.get(key))));
    return found.map((entry) => this.#memory.entryOf(entry));
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("head", options);
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#memory.isFresh(slot)) return this.below.head(key, options);
    return Promise.resolve(slot.entry && infoOf(slot.entry));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    if (this.#mustRefuse(options)) return this.#refuse("has", options);
    const slot = this.#slots.find(key);
    return slot === undefined || !this.#memory.isFresh(slot) ? this.below.has(key, options) : Promise.resolve(slot.entry !== undefined);
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    if (this.#mustRefuse(options)) return this.#refuse("put", options);
    return rejecting(() => {
      const settled = withExpiry(options, this.clock, this);
      const keep = (info: EntryInfo): void => this.#memory.keepOfCaller({ ...expected(settled), ...info }, value);
      const through = this.#settings.write === "through" ? keep : undefined;
      return this.#change("put", { keys: [key] }, options, () => this.below.put(key, value, settled), through);
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("delete", options);
    return this.#change("delete", { keys: [key] }, options, () => this.below.delete(key, options));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("batch", options);
    return rejecting(() => {
      checkOperations(operations, this);
      const keys = [...new Set(operations.map(({ key }) => key))];
      return this.#change("batch", { keys }, options, () => super.batch(operations, options));
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("clear", options);
    return rejecting(() => {
      checkClearOptions(options, this);
      return this.#change("clear", { prefix: options?.prefix ?? "" }, options, () => this.below.clear(options));
    });
  }

  /** Serves what is cached; a stream from below is passed on and not kept. */
  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("read", options);
    const slot = this.#slots.find(key);
    const entry = slot !== undefined && this.#memory.isFresh(slot) ? (slot.entry as Entry<Bytes> | undefined) : undefined;
    if (entry === undefined || (options?.ifMatch !== undefined && options.ifMatch !== entry.etag))
      return this.belowBytes.read(key, options);
    return rejecting(() => {
      checkReadOptions(options, this);
      const size = entry.value.byteLength;
      const { start, end } = resolveRange(size, options?.start, options?.end);
      return Promise.resolve({ ...infoOf(entry), size, value: streamOf(entry.value.slice(start, end), options?.signal) });
    });
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    if (this.#mustRefuse(options)) {
      cancelSource(source, options?.signal?.reason);
      return this.#refuse("write", options);
    }
    let isSent = false; // from then on the source is in the hands of the storage below
    const send = (): Promise<EntryInfo> => {
      isSent = true;
      return super.write(key, source, options);
    };
    return this.#change("write", { keys: [key] }, options, send).catch((error: unknown) => {
      if (!isSent) cancelSource(source, error);
      throw error;
    });
  }

  override close(): Promise<void> {
    this.#slots.clear();
    return this.#lifecycle.close();
  }

  /** Loads those keys that are not cached, in as few calls as possible. A key that is missing below is no error. */
  async warm(keys: readonly string[], options?: CallOptions): Promise<void> {
    const step = 1_000;
    for (let start = 0; start < keys.length; start += step) await this.getEntries(keys.slice(start, start + step), options);
  }

  /**
   * Forgets a key, or all under a prefix, because it changed in a way that this layer cannot see. Memory forgets at once,
   * and nothing that is being loaded is kept; the promise waits for the store, and the caches on the bus are told.
   *
   * @throws StorageError `unavailable`: the store could not forget; this cache does not ask it until it could
   */
  async invalidate(target: string | { readonly prefix: string }): Promise<void> {
    this.#lifecycle.check("invalidate");
    if (typeof target === "string") return await this.#changes.invalidate({ keys: [target] });
    if (typeof target?.prefix === "string") return await this.#changes.invalidate({ prefix: target.prefix });
    const message = "invalidate takes a key, or { prefix } for all under it.";
    throw new StorageError("invalid-option", message, { operation: "invalidate", storage: this.name });
  }

  /**
   * Calls a listener with each entry that goes for want of room, right after it went; not with those that expired or were
   * invalidated. Returns what ends that. What the listener throws or rejects with is dropped.
   */
  onEvict(listener: (evicted: Evicted) => void): () => void {
    return this.#slots.onEvict(listener);
  }

  stats(): CacheStats {
    const asked = this.#hits + this.#misses;
    return {
      hits: this.#hits,
      misses: this.#misses,
      hitRatio: asked === 0 ? 0 : this.#hits / asked,
      loads: this.#loads.count,
      evictions: this.#slots.evictions,
      entries: this.#slots.count,
      bytes: this.#slots.size,
      staleServed: this.#staleServed,
      pendingWrites: this.#writes.pending,
      storeHits: this.#store?.hits ?? 0,
      storeFailures: this.#store?.failures ?? 0,
      invalidations: this.#bus?.heard ?? 0,
      busFailures: this.#bus?.failures ?? 0,
    };
  }

  override details(): Details {
    const { sizeOf: _sizeOf, clock: _clock, store, bus, storeTimeout, ...plain } = this.#settings;
    const options = { ...plain, ...(store !== undefined && { storeTimeout }), ...(bus !== undefined && { bus: true }) };
    return {
      options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== Number.POSITIVE_INFINITY)),
      stats: { ...this.stats() },
    };
  }

  #hasFresh(key: string): boolean {
    const slot = this.#slots.find(key);
    return slot !== undefined && this.#memory.isFresh(slot);
  }

  /** @param begun the load of this key, where the caller has begun it */
  #find(key: string, options: CallOptions | undefined, begun?: Load<V>): Promise<Entry<V> | undefined> {
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#memory.isFresh(slot)) return this.#miss(slot, key, options, begun);
    this.#hits++;
    this.#slots.use(slot);
    return Promise.resolve(slot.entry);
  }

  /** Apart from `get`, so that a hit makes nothing for the sake of a miss. */
  #getMissing(slot: Slot<V> | undefined, key: string, options: CallOptions | undefined): Promise<V | undefined> {
    return this.#miss(slot, key, options).then((entry) => this.#memory.valueOf(entry));
  }

  /** What is old may be served while, or in case that, a new value cannot be had. Nothing is served that has expired. */
  #miss(slot: Slot<V> | undefined, key: string, options: CallOptions | undefined, begun?: Load<V>): Promise<Entry<V> | undefined> {
    this.#misses++;
    const old = slot?.entry;
    const { staleWhileRevalidate, staleIfError } = this.#settings;
    if (slot?.freshUntil !== undefined && old !== undefined && !isExpired(old.expiresAt, this.clock)) {
      const age = this.clock.now() - slot.freshUntil;
      if (age < staleWhileRevalidate) {
        this.#loads.load(key);
        this.#staleServed++;
        return Promise.resolve(old);
      }
      if (age < staleIfError) {
        return this.#load(key, options, begun).catch((error: unknown) => {
          const passing = StorageError.is(error) && error.retryable && options?.signal?.aborted !== true;
          if (!passing || this.#slots.find(key) !== slot || isExpired(old.expiresAt, this.clock)) throw error;
          this.#staleServed++;
          return old;
        });
      }
    }
    return this.#load(key, options, begun);
  }

  #load(key: string, options: CallOptions | undefined, begun?: Load<V>): Promise<Entry<V> | undefined> {
    this.#bus?.join();
    if (begun !== undefined) return this.#lifecycle.run("get", () => begun.wait(options?.signal));
    const answer = (): Promise<Entry<V> | undefined> => this.#loads.load(key).wait(options?.signal);
    if (!this.#loads.has(key)) return this.#lifecycle.run("get", answer);
    // What a load finds that began earlier may have expired before this call came.
    const now = this.clock.now();
    return this.#lifecycle.run("get", async () => {
      const entry = await answer();
      return entry?.expiresAt !== undefined && entry.expiresAt <= now ? await answer() : entry;
    });
  }

  #change<T>(
    operation: string,
    target: Target,
    options: CallOptions | undefined,
    send: () => Promise<T>,
    keep?: (result: T) => void,
  ): Promise<T> {
    return this.#changes.send({ operation, target, signal: options?.signal, send, keep });
  }

  /** The store is closed like what is below: both, and the first error is told. */
  async #release(): Promise<void> {
    await this.#store?.drain();
    await this.#bus?.close();
    const failures: unknown[] = [];
    for (const storage of this.inner) await storage.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  #mustRefuse(options: CallOptions | undefined): boolean {
    return !this.#lifecycle.ready || options?.signal?.aborted === true;
  }

  /** Rejects what `mustRefuse` found. */
  #refuse(operation: string, options: CallOptions | undefined): Promise<never> {
    return rejecting(() => {
      this.#lifecycle.check(operation);
      return Promise.reject(options?.signal?.reason as Error);
    });
  }
}

/** What the options of a put say of its entry. */
function expected(options: PutOptions | undefined): Partial<EntryInfo> {
  const { metadata, expiresAt } = options ?? {};
  return { ...(metadata !== undefined && { metadata: { ...metadata } }), ...(expiresAt !== undefined && { expiresAt }) };
}
