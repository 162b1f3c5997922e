import type {
  AnyLayer,
  BatchOptions,
  ByteSource,
  Bytes,
  CallOptions,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Operation,
  PutOptions,
  ReadOptions,
  Storage,
  WriteOptions,
} from "@stowage/core";
import {
  anyLayer,
  cancelSource,
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
import { makeEviction } from "./eviction/eviction.ts";
import { Loads } from "./loads.ts";
import type { CachedOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import type { Slot } from "./slots.ts";
import { Slots } from "./slots.ts";
import type { Ownership } from "./values.ts";
import { ownershipOf, roughSize } from "./values.ts";
import { Writes } from "./writes.ts";

/** What a cache has done since it was made. */
export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  /** Hits among hits and misses; 0 before the first. */
  readonly hitRatio: number;
  /** Reads that went below; concurrent misses of one key share one. */
  readonly loads: number;
  readonly evictions: number;
  /** Entries that are cached now. */
  readonly entries: number;
  /** Bytes that they take, as `sizeOf` counts them. */
  readonly bytes: number;
  /** Old values that were served, while a new one was loaded or because it could not be. */
  readonly staleServed: number;
}

/**
 * Keeps what was read in memory. A read is never older than a write that was acknowledged through this layer: an answer
 * from below is cached only when nothing wrote, deleted, cleared or invalidated its key meanwhile, and a write that failed,
 * or whose outcome is unknown, leaves the key uncached.
 *
 * Place in the stack: above the codec, so that values are decoded once; below metrics.
 *
 * @throws StorageError `invalid-option`
 */
export function cached<V = unknown>(options: CachedOptions<V> = {}): AnyLayer {
  const settings = settle(options);
  return anyLayer((inner) => new CachedStorage(inner, settings, options.clock));
}

/** What `cached()` makes; `findLayer(storage, CachedStorage)` finds it. */
export class CachedStorage<V> extends ForwardingStorage<V> {
  readonly name = "cached";
  readonly #settings: Settings;
  readonly #ownership: Ownership;
  readonly #slots: Slots<V>;
  readonly #writes = new Writes();
  readonly #loads: Loads<V>;
  readonly #lifecycle: Lifecycle;
  #hits = 0;
  #misses = 0;
  #staleServed = 0;

  constructor(inner: Storage<V>, settings: Settings, clock?: Clock) {
    super(inner, clock);
    this.#settings = settings;
    this.#ownership = ownershipOf(settings.values, isByteStorage(inner));
    this.#slots = new Slots(makeEviction<Slot<V>>(settings.eviction, settings), settings);
    const deadlines = new Deadlines(settings.loadTimeout, settings.clock);
    this.#loads = new Loads(inner, this.#writes, deadlines, (key, entry) => this.#keepLoaded(key, entry));
    this.#lifecycle = new Lifecycle({ name: this.name, clock: settings.clock, release: () => inner.close() });
  }

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("get", options);
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#isFresh(slot)) return this.#miss(slot, key, options).then((entry) => this.#valueOf(entry));
    this.#hits++;
    this.#slots.use(slot);
    if (slot.promise !== undefined) return slot.promise;
    try {
      return Promise.resolve(this.#valueOf(slot.entry));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("getEntry", options);
    return this.#find(key, options).then((entry) => this.#entryOf(entry));
  }

  /** Asks below once for all that is neither cached nor being loaded. */
  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    if (this.#mustRefuse(options)) return await this.#refuse("getEntries", options);
    const missing = new Set(keys.filter((key) => !this.#slots.has(key) && !this.#loads.has(key) && !this.#writes.isUnsettled(key)));
    if (missing.size > 1) this.#loads.loadAll([...missing]);
    const found = await Promise.all(keys.map((key) => this.#find(key, options)));
    return found.map((entry) => this.#entryOf(entry));
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("head", options);
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#isFresh(slot)) return this.below.head(key, options);
    return Promise.resolve(slot.entry && infoOf(slot.entry));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    if (this.#mustRefuse(options)) return this.#refuse("has", options);
    const slot = this.#slots.find(key);
    return slot === undefined || !this.#isFresh(slot) ? this.below.has(key, options) : Promise.resolve(slot.entry !== undefined);
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    if (this.#mustRefuse(options)) return this.#refuse("put", options);
    return rejecting(() => {
      const settled = withExpiry(options, this.clock, this);
      const keep = (info: EntryInfo): void => this.#keepOfCaller({ ...expected(settled), ...info }, value);
      return this.#write([key], () => this.below.put(key, value, settled), this.#settings.write === "through" ? keep : undefined);
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("delete", options);
    return this.#write([key], () => this.below.delete(key, options));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("batch", options);
    return rejecting(() => {
      const keys = [...new Set(operations.map(({ key }) => key))];
      return this.#write(keys, () => super.batch(operations, options));
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    if (this.#mustRefuse(options)) return this.#refuse("clear", options);
    const prefix = options?.prefix ?? "";
    this.#writes.beginClear();
    this.#dropPrefix(prefix);
    return this.#lifecycle.run("clear", () =>
      rejecting(() => this.below.clear(options)).finally(() => {
        this.#writes.endClear();
        this.#dropPrefix(prefix);
      }),
    );
  }

  /** Serves what is cached; a stream from below is passed on and not kept. */
  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    if (this.#mustRefuse(options)) return this.#refuse("read", options);
    const slot = this.#slots.find(key);
    const entry = slot !== undefined && this.#isFresh(slot) ? (slot.entry as Entry<Bytes> | undefined) : undefined;
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
    return this.#write([key], () => super.write(key, source, options));
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

  /** Forgets a key, or all under a prefix, because it changed in a way that this layer cannot see. */
  invalidate(target: string | { readonly prefix: string }): void {
    if (typeof target === "string") {
      this.#writes.disturb(target);
      this.#drop(target);
    } else {
      this.#writes.disturbAll();
      this.#dropPrefix(target.prefix);
    }
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
    };
  }

  override details(): Details {
    const { eviction, maxEntries, maxSize, ttl, staleWhileRevalidate, staleIfError, missingTtl, loadTimeout, write, values } =
      this.#settings;
    const options = { eviction, maxEntries, maxSize, ttl, staleWhileRevalidate, staleIfError, missingTtl, loadTimeout, write, values };
    return {
      options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== Number.POSITIVE_INFINITY)),
      stats: { ...this.stats() },
    };
  }

  #find(key: string, options: CallOptions | undefined): Promise<Entry<V> | undefined> {
    const slot = this.#slots.find(key);
    if (slot === undefined || !this.#isFresh(slot)) return this.#miss(slot, key, options);
    this.#hits++;
    this.#slots.use(slot);
    return Promise.resolve(slot.entry);
  }

  #isFresh({ freshUntil }: Slot<V>): boolean {
    return freshUntil === Number.POSITIVE_INFINITY || this.clock.now() < freshUntil;
  }

  /** What is old may be served while, or in case that, a new value cannot be had. Nothing is served that has expired. */
  #miss(slot: Slot<V> | undefined, key: string, options: CallOptions | undefined): Promise<Entry<V> | undefined> {
    this.#misses++;
    const old = slot?.entry;
    const { staleWhileRevalidate, staleIfError } = this.#settings;
    if (slot !== undefined && old !== undefined && !isExpired(old.expiresAt, this.clock)) {
      const age = this.clock.now() - slot.freshUntil;
      if (age < staleWhileRevalidate) {
        this.#loads.load(key);
        this.#staleServed++;
        return Promise.resolve(old);
      }
      if (age < staleIfError) {
        return this.#load(key, options).catch((error: unknown) => {
          const passing = StorageError.is(error) && error.retryable && options?.signal?.aborted !== true;
          if (!passing || this.#slots.find(key) !== slot || isExpired(old.expiresAt, this.clock)) throw error;
          this.#staleServed++;
          return old;
        });
      }
    }
    return this.#load(key, options);
  }

  #load(key: string, options: CallOptions | undefined): Promise<Entry<V> | undefined> {
    return this.#lifecycle.run("get", () => this.#loads.load(key).wait(options?.signal));
  }

  /** Keeps what was found below, or that nothing was. `sizeOf` is the caller's, and may throw. */
  #keepLoaded(key: string, entry: Entry<V> | undefined): void {
    if (!this.#lifecycle.ready) return;
    if (entry !== undefined) this.#keep({ ...entry, value: this.#ownership.keep(entry.value) as V });
    else if (this.#settings.missingTtl > 0) this.#keepMissing(key);
    else this.#slots.delete(key);
  }

  /** Never throws, because the put has succeeded: what cannot be kept is loaded by the next read, which tells why. */
  #keepOfCaller(info: EntryInfo, value: V): void {
    try {
      const kept = this.#ownership.keepOfCaller(value);
      if (kept !== undefined) this.#keep({ ...info, value: kept.value as V });
    } catch {
      this.#slots.delete(info.key);
    }
  }

  #keep(entry: Entry<V>): void {
    const { ttl, sizeOf = roughSize } = this.#settings;
    const now = this.clock.now();
    if (entry.expiresAt !== undefined && entry.expiresAt <= now) return this.#slots.delete(entry.key);
    const freshUntil = Math.min(now + ttl, entry.expiresAt ?? Number.POSITIVE_INFINITY);
    const promise = this.#ownership.isShared(entry.value) ? Promise.resolve(entry.value) : undefined;
    this.#slots.add({ ...newCell, key: entry.key, size: sizeOf(entry.value), entry, promise, freshUntil });
  }

  #keepMissing(key: string): void {
    const freshUntil = this.clock.now() + this.#settings.missingTtl;
    this.#slots.add({ ...newCell, key, size: 2 * key.length, entry: undefined, promise: Promise.resolve(undefined), freshUntil });
  }

  /** Sends a write. Its keys are uncached while it runs, and what is loaded meanwhile is not kept. */
  #write<T>(keys: readonly string[], send: () => Promise<T>, keep?: (result: T) => void): Promise<T> {
    for (const key of keys) {
      this.#drop(key);
      this.#writes.begin(key);
    }
    const end = (): boolean => {
      let alone = true;
      for (const key of keys) {
        this.#drop(key);
        alone = this.#writes.end(key) && alone;
      }
      return alone;
    };
    return this.#lifecycle.run("put", () =>
      rejecting(send).then(
        (result) => {
          if (end()) keep?.(result); // at once: another write may begin before the caller hears of this one
          return result;
        },
        (error: unknown) => {
          end();
          throw error;
        },
      ),
    );
  }

  #drop(key: string): void {
    this.#slots.delete(key);
    this.#loads.drop(key);
  }

  #dropPrefix(prefix: string): void {
    this.#slots.deletePrefix(prefix);
    this.#loads.dropPrefix(prefix);
  }

  #valueOf(entry: Entry<V> | undefined): V | undefined {
    if (entry === undefined || this.#ownership.isShared(entry.value)) return entry?.value;
    return this.#ownership.copy(entry.value) as V;
  }

  #entryOf(entry: Entry<V> | undefined): Entry<V> | undefined {
    return entry && { ...infoOf(entry), value: this.#valueOf(entry) as V };
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

const newCell = { previous: undefined, next: undefined, list: 0, frequency: 0 } as const;

/** What is known of an entry, without its value, in an object of its own. */
function infoOf<V>({ value: _value, ...info }: Entry<V>): EntryInfo {
  return info.metadata === undefined ? info : { ...info, metadata: { ...info.metadata } };
}

/** What the options of a put say of its entry. */
function expected(options: PutOptions | undefined): Partial<EntryInfo> {
  const { metadata, expiresAt } = options ?? {};
  return { ...(metadata !== undefined && { metadata: { ...metadata } }), ...(expiresAt !== undefined && { expiresAt }) };
}
