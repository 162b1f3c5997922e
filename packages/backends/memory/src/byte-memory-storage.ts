import type { ByteSource, Bytes, ByteStorage, Entry, EntryInfo, ReadOptions, WriteOptions } from "@stowage/core";
import {
  cancelSource,
  checkKey,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  concatBytes,
  copyBytes,
  otherVersion,
  readSource,
  resolveRange,
  wrongSize,
} from "@stowage/core";
import { full, MemoryStorage } from "./memory-storage.ts";

/** Bytes in one chunk of a stream that is read. */
const chunkSize = 65_536;

/** A storage of bytes in the memory of this process, found by `findLayer(storage, ByteMemoryStorage)`. */
export class ByteMemoryStorage extends MemoryStorage<Bytes> implements ByteStorage {
  async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const slot = this.find(key, "read", options);
    checkReadOptions(options, this);
    if (options?.ifMatch !== undefined && slot?.etag !== options.ifMatch) throw otherVersion("read", this.name, key);
    if (slot === undefined) return undefined;
    const { start, end } = resolveRange(slot.value.byteLength, options?.start, options?.end);
    return { ...this.infoOf(key, slot), value: streamOfPart(slot.value, start, end, options?.signal) };
  }

  async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    checkSource(source, this.name, key);
    try {
      this.begin("write", options);
      checkKey(key, "write", this.name);
      checkPutOptions(options, this, "write");
      this.checkConditions("write", key, options);
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
    return await this.lifecycle.run("write", async () => {
      const value = await this.#collect(key, source, options);
      options.signal?.throwIfAborted();
      return this.store("write", key, value, options);
    });
  }

  async #collect(key: string, source: ByteSource, { size, signal }: WriteOptions): Promise<Bytes> {
    const chunks: Bytes[] = [];
    let received = 0;
    for await (const chunk of readSource(source, signal)) {
      received += chunk.byteLength;
      if (size !== undefined && received > size) throw wrongSize(size, "more", this.name, key);
      if (received > this.roomFor(key)) throw full("write", this.name, key);
      chunks.push(copyBytes(chunk));
    }
    if (size !== undefined && received < size) throw wrongSize(size, String(received), this.name, key);
    return concatBytes(chunks);
  }
}

/** Part of a value as a stream that copies one chunk at a time, when it is asked for. */
function streamOfPart(value: Bytes, start: number, end: number, signal: AbortSignal | undefined): ReadableStream<Bytes> {
  let position = start;
  return new ReadableStream<Bytes>(
    {
      pull(controller) {
        signal?.throwIfAborted();
        const next = Math.min(position + chunkSize, end);
        if (next > position) controller.enqueue(value.slice(position, next));
        position = next;
        if (position >= end) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
