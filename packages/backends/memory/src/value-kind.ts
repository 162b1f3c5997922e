import type { Bytes } from "@stowage/core";
import { checkBytes, copyBytes, copyValue, StorageError } from "@stowage/core";

/** What a memory storage has to know about its values. */
export interface ValueKind<V> {
  /**
   * A value as it is kept, of its own or shared; throws for what is not a value. `replaced` is the kept value whose place
   * it takes for good: its memory may be used again.
   */
  keep(value: V, operation: string, key: string, replaced?: V): V;
  /** A kept value as it is handed out. */
  give(value: V): V;
  /** Its bytes; `undefined` where that is not known. */
  sizeOf(value: V): number | undefined;
}

/** Bytes up to this size are never handed out, not even to a stream, so that their memory can be used again. */
export const reusableSize = 65_536;

/** Bytes, copied in and out unless they are shared. */
export function bytesKind(share: boolean): ValueKind<Bytes> {
  return {
    keep(value: Uint8Array, operation, key, replaced) {
      checkBytes(value, operation, "memory", key);
      if (share && isPlain(value)) return value;
      if (share || replaced?.byteLength !== value.byteLength || value.byteLength > reusableSize) return copyBytes(value);
      replaced.set(value);
      return replaced;
    },
    give: share ? same : copyBytes,
    sizeOf: (value) => value.byteLength,
  };
}

/** Any values except `undefined`, copied in and out unless they are shared. */
export function anyKind<V>(share: boolean, sizeOf: (value: V) => number | undefined = unknownSize): ValueKind<V> {
  return {
    keep(value, operation, key) {
      if (value === undefined) {
        throw new StorageError("invalid-value", "undefined is not a value; delete the key instead.", { operation, storage: "memory", key });
      }
      return share ? value : copyValue(value);
    },
    give: share ? same : copyValue,
    sizeOf,
  };
}

/** Whether bytes may be handed out as they are: a `Buffer` never is. */
function isPlain(value: Uint8Array): value is Bytes {
  return value.constructor === Uint8Array;
}

const same = <T>(value: T): T => value;
const unknownSize = (): undefined => undefined;
