import { bentostore, BentoCache } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { createCache } from "cache-manager";
import { Cacheable, createKeyv as createCacheableKeyv } from "cacheable";
import { createKeyv } from "keyv";
import { LRUCache } from "lru-cache";
import { createStorage } from "unstorage";
import type { Driver } from "unstorage";
import lruCacheDriver from "unstorage/drivers/lru-cache";
import type { Entry } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import type { CachedOptions } from "@stowage/cached";
import { cached } from "@stowage/cached";
import { memoryStorage } from "@stowage/memory";

/** What is slower than a cache, and where a value comes from that is not cached. */
export type Load<V> = (key: string) => Promise<V>;

/** As much of a cache as all of them have. */
export interface ReadThrough<V> {
  get(key: string): Promise<V | undefined>;
  put(key: string, value: V): Promise<unknown>;
  delete(key: string): Promise<unknown>;
}

export interface CacheSize {
  /** Entries at the most. */
  readonly entries: number;
  /** Milliseconds that an entry is kept; for ever without. */
  readonly ttl?: number | undefined;
}

/** Makes a cache over a load, as its manual says it is fastest. */
export type MakeCache = <V extends {}>(load: Load<V>, size: CacheSize) => ReadThrough<V>;

/** What a team writes by itself: a cache, and loads that are joined. */
export const byHand = "lru-cache get, in-flight Map (limit)";

/** Those that load what is missing by themselves, one load for each key, and are meant by "the peers". */
export const loadingPeers: Readonly<Record<string, MakeCache>> = {
  "cacheable getOrSet": overCacheable,
  "cache-manager wrap": overCacheManager,
  "bentocache getOrSet": overBentocache,
};

export const peers: Readonly<Record<string, MakeCache>> = {
  ...loadingPeers,
  "keyv over lru-cache": overKeyv,
  "unstorage lru-cache": overUnstorage,
};

/** `cached()` over a storage that loads. */
export function ours(options: CachedOptions = {}): MakeCache {
  return <V extends {}>(load: Load<V>, { entries, ttl }: CacheSize) =>
    cached({ ...options, maxEntries: entries, ttl })(new Loading<V>(load)) as ReadThrough<V>;
}

/** `lru-cache`, and what is being loaded in a Map. */
export function lruByHand<V extends {}>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const cache = new LRUCache<string, V>({ max: entries, ...(ttl !== undefined && { ttl }) });
  const loads = new Map<string, Promise<V>>();
  const begin = (key: string): Promise<V> => {
    const running = load(key).then((value) => {
      cache.set(key, value);
      return value;
    });
    loads.set(key, running);
    return running.finally(() => loads.delete(key));
  };
  return {
    async get(key) {
      const value = cache.get(key);
      if (value !== undefined) return value;
      return await (loads.get(key) ?? begin(key));
    },
    async put(key, value) {
      cache.set(key, value);
    },
    async delete(key) {
      cache.delete(key);
    },
  };
}

/** A storage whose values come from a function. */
class Loading<V> extends ForwardingStorage<V> {
  readonly name = "loading";
  readonly #load: Load<V>;

  constructor(load: Load<V>) {
    super(memoryStorage<V>({ values: "any", share: true }));
    this.#load = load;
  }

  override getEntry(key: string): Promise<Entry<V>> {
    return this.#load(key).then((value) => ({ key, value }));
  }
}

function overCacheable<V>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const cache = new Cacheable({ primary: createCacheableKeyv({ lruSize: entries }), ...(ttl !== undefined && { ttl }) });
  return {
    get: (key) => cache.getOrSet(key, () => load(key), { throwErrors: true }),
    put: (key, value) => cache.set(key, value),
    delete: (key) => cache.delete(key),
  };
}

function overCacheManager<V>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const cache = createCache({ stores: [createCacheableKeyv({ lruSize: entries })], ...(ttl !== undefined && { ttl }) });
  return {
    get: (key) => cache.wrap(key, () => load(key)),
    put: (key, value) => cache.set(key, value),
    delete: (key) => cache.del(key),
  };
}

function overBentocache<V>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: entries, serialize: false }));
  const cache = new BentoCache({ default: "memory", stores: { memory: store }, ttl: ttl ?? null });
  return {
    get: (key) => cache.getOrSet({ key, factory: () => load(key) }),
    put: (key, value) => cache.set({ key, value }),
    delete: (key) => cache.delete({ key }),
  };
}

/** keyv keeps the expiry itself, and yet hands it on where lru-cache expects options. */
class Entries<K extends {}, V extends {}> extends LRUCache<K, V> {
  override set(key: K, value: V): this {
    return super.set(key, value);
  }
}

/** keyv and unstorage do not load: who uses them gets, loads and sets. */
function overKeyv<V extends {}>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const keyv = createKeyv(new Entries<string, V>({ max: entries }));
  const put = (key: string, value: V): Promise<unknown> => keyv.set(key, value, ttl);
  return { get: getLoadSet((key) => keyv.get<V>(key), load, put), put, delete: (key) => keyv.delete(key) };
}

function overUnstorage<V extends {}>(load: Load<V>, { entries, ttl }: CacheSize): ReadThrough<V> {
  const driver = lruCacheDriver({ max: entries, ...(ttl !== undefined && { ttl }) }) as Driver;
  const storage = createStorage({ driver });
  const put = (key: string, value: V): Promise<unknown> => storage.setItemRaw<unknown>(key, value);
  const get = async (key: string): Promise<V | undefined> => (await storage.getItemRaw<V>(key)) ?? undefined;
  return { get: getLoadSet(get, load, put), put, delete: (key) => storage.removeItem(key) };
}

function getLoadSet<V>(
  get: (key: string) => Promise<V | undefined>,
  load: Load<V>,
  put: (key: string, value: V) => Promise<unknown>,
): (key: string) => Promise<V> {
  return async (key) => {
    const value = await get(key);
    if (value !== undefined) return value;
    const loaded = await load(key);
    await put(key, loaded);
    return loaded;
  };
}
