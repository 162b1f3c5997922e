import type { CallOptions, Storage } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";

/** The value under a key that must be there: a missing one is `precondition-failed`. */
export async function getOrThrow<V>(storage: Storage<V>, key: string, options?: CallOptions): Promise<V> {
  const value = await storage.get(key, options);
  if (value !== undefined) return value;
  throw new StorageError("precondition-failed", "The entry that must be there is missing.", {
    operation: "get",
    key,
    storage: storage.name,
  });
}
