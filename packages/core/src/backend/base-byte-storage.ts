import { concatBytes, resolveRange, streamOf } from "../contract/bytes.ts";
import { cancelSource, checkSource, readSource } from "../contract/sources.ts";
import type { ByteSource, Bytes, ByteStorage, Entry, EntryInfo, PutOptions, ReadOptions, WriteOptions } from "../contract/contract.ts";
import { checkKey } from "../contract/keys.ts";
import { checkPutOptions, checkReadOptions, refuseAbility } from "../contract/options.ts";
import { StorageError } from "../contract/storage-error.ts";
import { BaseStorage } from "./base-storage.ts";

/**
 * What a backend of bytes extends: as `BaseStorage`, with `read` and `write` derived by holding whole values in memory.
 * A backend that streams natively overrides both.
 */
export abstract class BaseByteStorage extends BaseStorage<Bytes> implements ByteStorage {
  abstract override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo>;

  async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    checkKey(key, "read", this.name);
    checkReadOptions(options, this);
    if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
    const entry = await this.getEntry(key, { signal: options?.signal });
    if (options?.ifMatch !== undefined && entry?.etag !== options.ifMatch) throw otherVersion("read", this.name, key);
    if (entry === undefined) return undefined;
    const { start, end } = resolveRange(entry.value.byteLength, options?.start, options?.end);
    const size = entry.value.byteLength;
    const part = end - start === size ? entry.value : entry.value.slice(start, end);
    return { ...entry, size, value: streamOf(part, options?.signal) };
  }

  async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    try {
      checkSource(source, this.name, key);
      checkKey(key, "write", this.name);
      checkPutOptions(options, this, "write");
      if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
      options.signal?.throwIfAborted();
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
    const { size, ...putOptions } = options;
    const chunks: Uint8Array[] = [];
    let received = 0;
    for await (const chunk of readSource(source, options.signal)) {
      received += chunk.byteLength;
      if (size !== undefined && received > size) throw wrongSize(size, "more", this.name, key);
      chunks.push(chunk);
    }
    if (size !== undefined && received < size) throw wrongSize(size, String(received), this.name, key);
    return await this.step(() => this.put(key, concatBytes(chunks), putOptions));
  }
}

/** A condition that did not hold. */
export function otherVersion(operation: string, storage: string, key: string): StorageError {
  return new StorageError("precondition-failed", "The entry is not the version that the condition asked for.", { operation, storage, key });
}

/** A source that gave another number of bytes than it was said to. */
export function wrongSize(expected: number, got: string, storage: string, key: string): StorageError {
  return new StorageError("invalid-value", `The source was said to give ${expected} bytes and gave ${got}; nothing was stored.`, {
    operation: "write",
    storage,
    key,
  });
}
