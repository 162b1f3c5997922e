import { createKeyv } from "keyv";
import { LRUCache } from "lru-cache";
import { createStorage } from "unstorage";
import type { Driver } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import memoryDriver from "unstorage/drivers/memory";
import type { Store } from "./calls.ts";

/** The fastest set-up of keyv in memory: the values themselves in a Map. */
export function keyvInMemory(): Store<Uint8Array> {
  const keyv = createKeyv(new Map());
  return { get: (key) => keyv.get(key), put: (key, value) => keyv.set(key, value) };
}

/** A cache that could forget, with room for so many. */
export function lruCache(count: number): Store<Uint8Array> {
  const cache = new LRUCache<string, Uint8Array>({ max: count });
  return {
    async get(key) {
      return cache.get(key);
    },
    async put(key, value) {
      cache.set(key, value);
    },
  };
}

export function unstorageInMemory(): Store<Uint8Array> {
  const storage = createStorage({ driver: memoryDriver(undefined) as Driver });
  return { get: (key) => storage.getItemRaw(key), put: (key, value) => storage.setItemRaw(key, value) };
}

export function unstorageInFolder(folder: string): Store<Uint8Array> {
  const storage = createStorage({ driver: fsDriver({ base: folder }) as Driver });
  return { get: (key) => storage.getItemRaw(key), put: (key, value) => storage.setItemRaw(key, value) };
}
