import type { ByteSource, Bytes, ByteStorage, Capabilities, Entry, EntryInfo, ReadOptions, WriteOptions } from "@stowage/core";
import {
  cancelSource,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  concatBytes,
  copyBytes,
  readSource,
  resolveRange,
  streamOf,
  wrongSize,
} from "@stowage/core";
import type { MemoryOptions } from "./memory.ts";
import { abilities, MemoryStorage } from "./memory-storage.ts";
import { bytesKind, reusableSize } from "./value-kind.ts";

/** A storage of bytes in the memory of this process, found by `findLayer(storage, ByteMemoryStorage)`. */
export class ByteMemoryStorage extends MemoryStorage<Bytes> implements ByteStorage {
  override readonly capabilities: Capabilities = { ...abilities, conditions: [...abilities.conditions, "stream"], streams: "buffered" };

  constructor(options: MemoryOptions) {
    super(bytesKind(options.share ?? false), options);
  }

  async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const slot = this.find(key, "read", options);
    checkReadOptions(options, this);
    if (options?.ifMatch !== undefined) this.entries.checkVersion("read", key, slot, options.ifMatch);
    if (slot === undefined) return undefined;
    const { value } = slot;
    const { start, end } = resolveRange(value.byteLength, options?.start, options?.end);
    // The memory of a small value may be used again, so it is copied at once; a large one is when its chunks are asked for.
    const part = value.byteLength <= reusableSize ? value.slice(start, end) : value.subarray(start, end);
    return { ...this.entries.infoOf(key, slot), value: streamOf(part, options?.signal) };
  }

  async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    checkSource(source, this.name, key);
    try {
      const slot = this.find(key, "write", options);
      checkPutOptions(options, this, "write");
      this.entries.checkConditions("write", key, slot, options);
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
    return await this.lifecycle.run("write", async () => {
      const value = await this.#collect(key, source, options);
      options.signal?.throwIfAborted();
      return this.entries.store("write", key, value, options);
    });
  }

  async #collect(key: string, source: ByteSource, { size, signal }: WriteOptions): Promise<Bytes> {
    const chunks: Bytes[] = [];
    let received = 0;
    for await (const chunk of readSource(source, signal)) {
      received += chunk.byteLength;
      if (size !== undefined && received > size) throw wrongSize(size, "more", this.name, key);
      this.entries.checkRoom("write", key, received);
      chunks.push(copyBytes(chunk));
    }
    if (size !== undefined && received < size) throw wrongSize(size, String(received), this.name, key);
    return concatBytes(chunks);
  }
}
