import type { ByteStorage, Clock, Storage } from "@stowage/core";
import { checkOptions, StorageError } from "@stowage/core";
import { ByteMemoryStorage } from "./byte-memory-storage.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { anyKind } from "./value-kind.ts";

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
  /** What it holds: bytes, or any value except `undefined`. @default bytes */
  readonly values: "any";
  /** The size of a value in bytes, for `EntryInfo.size` and for `maxSize`, which needs it. @default not known */
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
  checkOptions({}, options, "memory", ["maxEntries", "maxSize", "share", "values", "sizeOf"]);
  checkLimit("maxEntries", options.maxEntries);
  checkLimit("maxSize", options.maxSize);
  if (!("values" in options) || options.values === undefined) return new ByteMemoryStorage(options);
  if (options.values !== "any") {
    throw new StorageError("invalid-option", 'values must be "any", or left out for a storage of bytes.');
  }
  if (options.maxSize !== undefined && options.sizeOf === undefined) {
    throw new StorageError("invalid-option", "maxSize needs sizeOf where the values are not bytes.");
  }
  return new MemoryStorage<V>(anyKind(options.share ?? false, options.sizeOf), options);
}

function checkLimit(name: string, limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1)) return;
  throw new StorageError("invalid-option", `${name} must be a whole number of at least 1.`);
}
