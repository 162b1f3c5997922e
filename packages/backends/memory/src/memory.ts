import type { Bytes, ByteStorage, Clock, Storage } from "@stowage/core";
import { checkBytes, copyBytes, copyValue, ownedBytes, StorageError } from "@stowage/core";
import { ByteMemoryStorage } from "./byte-memory-storage.ts";
import type { ValueKind } from "./memory-storage.ts";
import { MemoryStorage } from "./memory-storage.ts";

export interface MemoryOptions {
  /** Entries at the most; a put over it is `full`. @default unlimited */
  readonly maxEntries?: number | undefined;
  /** Bytes of all values at the most; a put over it is `full`. @default unlimited */
  readonly maxSize?: number | undefined;
  /**
   * Keeps and hands out the very value that was put, without copies: faster, and safe only where nobody changes a value
   * after it was put. @default false
   */
  readonly share?: boolean | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

export interface MemoryValueOptions<V> extends MemoryOptions {
  /** What it holds: bytes, or any value except `undefined`. @default "bytes" */
  readonly values: "any";
  /** The size of a value in bytes, as `EntryInfo.size` and for `maxSize`, which needs it. @default not known */
  readonly sizeOf?: ((value: V) => number) | undefined;
}

/**
 * A storage in the memory of this process, of bytes or of any values. It can do all that the contract knows, and
 * forgets everything when it is closed.
 *
 * ```ts
 * const files = memoryStorage();
 * const users = memoryStorage<User>({ values: "any", maxEntries: 10_000 });
 * ```
 */
export function memoryStorage(options?: MemoryOptions): ByteStorage;
export function memoryStorage<V>(options: MemoryValueOptions<V>): Storage<V>;
export function memoryStorage<V>(options: MemoryOptions | MemoryValueOptions<V> = {}): ByteStorage | Storage<V> {
  if (!("values" in options) || options.values === undefined) return new ByteMemoryStorage(bytes(options.share), options);
  const { values, maxSize, share, sizeOf } = options;
  if (values !== "any") {
    throw new StorageError("invalid-option", 'values must be "any", or left out for a storage of bytes.');
  }
  if (maxSize !== undefined && sizeOf === undefined) {
    throw new StorageError("invalid-option", "maxSize needs sizeOf where the values are not bytes.");
  }
  return new MemoryStorage<V>(anyValue(share, sizeOf), options);
}

function bytes(share = false): ValueKind<Bytes> {
  return {
    keep(value: Uint8Array, operation, key) {
      checkBytes(value, operation, "memory", key);
      return share ? ownedBytes(value) : copyBytes(value);
    },
    give: share ? same : copyBytes,
    sizeOf: (value) => value.byteLength,
  };
}

function anyValue<V>(share = false, sizeOf: (value: V) => number | undefined = unknownSize): ValueKind<V> {
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

const same = <T>(value: T): T => value;
const unknownSize = (): undefined => undefined;
