import type { AnyStorage } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";
import { isByteStorage } from "../functions/is-byte-storage.ts";

/** Refuses to put what works on bytes on a storage of values, for callers whom no compiler warned. */
export function checkHoldsBytes(below: AnyStorage, message: string): void {
  if (!isByteStorage(below)) throw new StorageError("invalid-option", message);
}
