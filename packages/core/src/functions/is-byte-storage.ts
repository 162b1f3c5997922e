import type { AnyStorage, ByteStorage } from "../contract/contract.ts";

/** Whether a storage holds bytes, and so has `read` and `write`. */
export function isByteStorage(storage: AnyStorage): storage is ByteStorage {
  return "read" in storage && typeof storage.read === "function";
}
