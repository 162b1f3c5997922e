import type { AnyStorage } from "../contract/contract.ts";

/**
 * The first part of a stack, from the top down, that was made by a class, with the methods that the contract has not;
 * `undefined` where there is none.
 *
 * ```ts
 * findLayer(users, CachedStorage)?.stats();
 * ```
 */
export function findLayer<S extends AnyStorage>(storage: AnyStorage, type: abstract new (...rest: never) => S): S | undefined {
  if (storage instanceof type) return storage;
  for (const inner of storage.inner) {
    const found = findLayer(inner, type);
    if (found !== undefined) return found;
  }
  return undefined;
}
