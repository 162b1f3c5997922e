import type { ByteSource, Capabilities, EntryInfo, OperationName } from "../contract/contract.ts";
import { cancelSource } from "../contract/sources.ts";
import { StorageError } from "../contract/storage-error.ts";
import { ForwardingStorage } from "../shapes/forwarding-storage.ts";
import type { AnyLayer } from "../shapes/layer.ts";
import { anyLayer } from "../shapes/layer.ts";

/**
 * Lets reads through and rejects every write with `read-only`, before any I/O.
 *
 * Place in the stack: on top, or right above the part that must not change.
 */
export function readOnly(): AnyLayer {
  return anyLayer((inner) => new ReadOnlyStorage(inner));
}

/** What `readOnly()` makes. */
export class ReadOnlyStorage<V> extends ForwardingStorage<V> {
  readonly name = "readOnly";

  /** As below, without what only writes can do. `ttl` and `metadata` still say what reads give. */
  override get capabilities(): Capabilities {
    return { ...this.below.capabilities, conditions: [], atomicBatch: false };
  }

  override put(key: string): Promise<EntryInfo> {
    return this.#refuse("put", key);
  }

  override delete(key: string): Promise<void> {
    return this.#refuse("delete", key);
  }

  override batch(): Promise<void> {
    return this.#refuse("batch");
  }

  override clear(): Promise<void> {
    return this.#refuse("clear");
  }

  override write(key: string, source: ByteSource): Promise<EntryInfo> {
    const refused = this.#refuse("write", key);
    refused.catch((error: unknown) => cancelSource(source, error));
    return refused;
  }

  #refuse(operation: OperationName, key?: string): Promise<never> {
    const message = "This storage is read-only; write through the storage that it stands on.";
    return Promise.reject(new StorageError("read-only", message, { operation, key, storage: this.name }));
  }
}
