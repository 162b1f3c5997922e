import { cancelSource } from "../contract/sources.ts";
import type { ByteSource } from "../contract/contract.ts";

/** A call whose preparation may throw: what it throws rejects instead. The promise of `call` is returned itself. */
export function rejecting<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** As `rejecting`, for a write: its source is cancelled when the preparation throws. */
export function writing<T>(source: ByteSource, call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    cancelSource(source, error);
    return Promise.reject(error);
  }
}
