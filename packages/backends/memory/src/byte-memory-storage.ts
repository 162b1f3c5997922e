import type { ByteSource, Bytes, ByteStorage, Entry, EntryInfo, ReadOptions, WriteOptions } from "@stowage/core";
import {
  cancelSource,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  concatBytes,
  copyBytes,
  readSource,
  resolveRange,
  wrongSize,
} from "@stowage/core";
import type { MemoryOptions } from "./memory.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { bytesKind, reusableSize } from "./value-kind.ts";

/** A storage of bytes in the memory of this process, found by `findLayer(storage, ByteMemoryStorage)`. */
export class ByteMemoryStorage extends MemoryStorage<Bytes> implements ByteStorage {
  constructor(options: MemoryOptions) {
    super(bytesKind(options.share ?? false), options);
  }

  async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const slot = this.find(key, "read", options);
    checkReadOptions(options, this);
    if (options?.ifMatch !== undefined) this.entries.checkVersion("read", key, slot, options.ifMatch);
    if (slot === undefined) return undefined;
    const { start, end } = resolveRange(slot.value.byteLength, options?.start, options?.end);
    return { ...this.entries.infoOf(key, slot), value: streamOfPart(slot.value, start, end, options?.signal) };
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

/**
 * Part of a kept value as a stream. A small value is copied at once, since its memory may be used again; a large one chunk
 * by chunk, when it is asked for.
 */
function streamOfPart(value: Bytes, start: number, end: number, signal: AbortSignal | undefined): ReadableStream<Bytes> {
  const part = value.byteLength <= reusableSize ? value.slice(start, end) : value.subarray(start, end);
  let position = 0;
  return new ReadableStream<Bytes>(
    {
      pull(controller) {
        signal?.throwIfAborted();
        const next = part.subarray(position, position + reusableSize);
        position += next.byteLength;
        if (next.byteLength > 0) controller.enqueue(copyBytes(next));
        if (position === part.byteLength) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
