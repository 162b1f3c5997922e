import type { AnyStorage } from "@stowage/core";
import { isByteStorage, StorageError } from "@stowage/core";
import type { Settings } from "./options.ts";

/** Refuses a store that the cache cannot keep its promises with. */
export function checkStore(store: AnyStorage, below: AnyStorage, { ttl }: Settings): void {
  const check = (holds: boolean, problem: string): void => {
    if (!holds) throw new StorageError("invalid-option", `cached: ${problem}.`, { storage: "cached" });
  };
  const storages = partsOf(below);
  const isApart = [...partsOf(store)].every((part) => !storages.has(part));
  check(isApart, "the store must not be what the cache stands on: entries that the cache drops would be lost");
  if (isByteStorage(below)) check(isByteStorage(store), "the store must hold bytes like the storage below: leave out the codec");
  else check(!isByteStorage(store), "the store must hold the values of the storage below: put the same codec on it");
  check(store.capabilities.metadata, "the store must keep metadata, because that is where the etag of an entry goes: put envelope() on it");
  const expires = Number.isFinite(ttl) || below.capabilities.ttl !== false;
  check(!expires || store.capabilities.ttl !== false, "the store must be able to expire entries: put envelope() on it");
}

function partsOf(storage: AnyStorage, found: Set<AnyStorage> = new Set()): Set<AnyStorage> {
  if (found.has(storage)) return found;
  found.add(storage);
  for (const inner of storage.inner) partsOf(inner, found);
  return found;
}
