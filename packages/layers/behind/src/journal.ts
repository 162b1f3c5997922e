import type { ByteStorage, Bytes, Operation } from "@stowage/core";
import { concatBytes, crc32, forEachConcurrently, makeHeader, scan, StorageError, wrongSize } from "@stowage/core";
import { damaged, nameOf, packHeader, packTrailer, RecordReader, trailerSize } from "./record.ts";
import type { Draft, Write } from "./write.ts";

/** Records that are removed in one call. */
const batchSize = 1_000;

/** Under this name the journal says which process it belongs to. */
const ownerName = "owner";

/** Bytes of a record that is checked in one piece; a larger one is streamed. */
const pieceSize = 256 * 1024;

/** Milliseconds that a look at the owner is good for. */
const lookedFor = 100;

/** What could not be removed, with the reasons. */
export type Failed = ReadonlyMap<Write, unknown>;

/** The records of pending writes, in another storage that nobody else uses. The order of writes is that of their names. */
export class Journal {
  readonly storage: ByteStorage;
  readonly #owner: Bytes = concatBytes([makeHeader("behind", 1), crypto.getRandomValues(new Uint8Array(16))]);
  #etag: string | undefined;
  #look: { readonly at: number; readonly answer: Promise<void> } | undefined;

  constructor(storage: ByteStorage) {
    this.storage = storage;
  }

  /**
   * Every write in the journal, in order, without values; then the journal is ours. Changes nothing where anything in it is
   * wrong, or the signal ends it first.
   */
  async open(signal: AbortSignal): Promise<readonly Write[]> {
    const found = new Map<string, Write>(); // an unordered list may name one twice
    await forEachConcurrently(scan(this.storage, { info: true, signal }), 16, async ({ key: name, size }) => {
      if (name === ownerName) return;
      if (!/^\d{16}$/.test(name)) {
        const message = "The journal holds what no write-behind layer put there; give this layer a storage of its own, or prefixed().";
        throw new StorageError("config", message, { storage: "behind", key: name });
      }
      const write = await this.#check(name, size);
      if (write !== undefined) found.set(name, write);
    });
    this.#etag = (await this.storage.put(ownerName, this.#owner, { signal })).etag;
    return Array.from(found.values()).sort((a, b) => a.sequence - b.sequence);
  }

  /**
   * Leaves nothing in a journal that is empty. Only a storage that decides the condition can remove our id and no other;
   * in any other, and where it fails, the id stays, which bothers nobody.
   */
  async leave(): Promise<void> {
    if (this.#etag === undefined || !this.storage.capabilities.conditions.includes("delete")) return;
    await this.storage.delete(ownerName, { ifMatch: this.#etag }).catch(() => {});
  }

  /** Rejects with `conflict` where another process has opened the journal since. With a time, a look shortly before is good enough. */
  checkOwner(now?: number): Promise<void> {
    if (now === undefined) return this.#checkOwner();
    if (this.#look !== undefined && Math.abs(now - this.#look.at) < lookedFor) return this.#look.answer;
    const answer = this.#checkOwner();
    this.#look = { at: now, answer };
    answer.catch(() => {
      this.#look = undefined;
    });
    return answer;
  }

  async #checkOwner(): Promise<void> {
    const found = await this.storage.get(ownerName);
    if (found !== undefined && found.byteLength === this.#owner.byteLength && found.every((byte, index) => byte === this.#owner[index]))
      return;
    const message = "Another process has opened the journal and goes on with what is pending; this storage must be made anew.";
    throw new StorageError("conflict", message, { storage: "behind", retryable: false });
  }

  /** Appends records by their sequence, and tells by position which could not be. */
  async append(records: ReadonlyMap<number, Bytes>): Promise<ReadonlyMap<number, unknown>> {
    const puts = Array.from(records, ([sequence, value]) => ({ type: "put", key: nameOf(sequence), value }) as const);
    const [only] = puts;
    const appended = puts.length === 1 ? this.storage.put(only!.key, only!.value) : this.storage.batch(puts);
    return await appended.then(
      () => none,
      (error: unknown) => failuresOf(error, puts.length),
    );
  }

  /** Appends what a source gives. `grow` is told of each chunk. */
  async appendStream(
    draft: Draft,
    sequence: number,
    chunks: AsyncIterable<Uint8Array>,
    { size, grow }: { readonly size?: number | undefined; readonly grow: (size: number) => void },
  ): Promise<Write> {
    const header = packHeader(draft, sequence);
    const before = crc32(header);
    let [received, checksum] = [0, before];
    const record = async function* (): AsyncGenerator<Bytes, void, void> {
      yield header;
      for await (const chunk of chunks) {
        received += chunk.byteLength;
        checksum = crc32(chunk, checksum);
        if (size !== undefined && received > size) throw wrongSize(size, "more", "behind", draft.key);
        grow(chunk.byteLength);
        yield chunk as Bytes;
      }
      if (size !== undefined && received < size) throw wrongSize(size, String(received), "behind", draft.key);
      yield packTrailer(received, checksum);
    };
    const whole = size === undefined ? undefined : header.byteLength + size + trailerSize;
    await this.storage.write(nameOf(sequence), record(), { size: whole });
    return { ...draft, sequence, size: received, value: undefined, start: header.byteLength, before, checksum };
  }

  /** The value of a write; `undefined` where its record is not there. */
  async value(write: Write, signal?: AbortSignal): Promise<Bytes | undefined> {
    const record = await this.storage.get(nameOf(write.sequence), { signal });
    if (record === undefined) return undefined;
    const value = record.subarray(write.start, write.start + write.size);
    checkValue(write, value.byteLength, crc32(value, write.before));
    return value.slice();
  }

  /** The value of a write, or a part of it. The whole value is checked; it ends with an error where it is damaged. */
  async stream(
    write: Write,
    { start, end, signal }: { readonly start: number; readonly end: number; readonly signal?: AbortSignal | undefined },
  ): Promise<ReadableStream<Bytes> | undefined> {
    const range = { start: write.start + start, end: write.start + end, signal };
    const entry = await this.storage.read(nameOf(write.sequence), range);
    if (entry === undefined || end - start < write.size) return entry?.value;
    let [size, checksum] = [0, write.before];
    return entry.value.pipeThrough(
      new TransformStream<Bytes, Bytes>({
        transform(chunk, controller) {
          size += chunk.byteLength;
          checksum = crc32(chunk, checksum);
          controller.enqueue(chunk);
        },
        flush: () => checkValue(write, size, checksum),
      }),
    );
  }

  /** Removes records. Tells which may still be there. */
  async remove(writes: readonly Write[]): Promise<Failed> {
    const failed = new Map<Write, unknown>();
    for (let at = 0; at < writes.length; at += batchSize) {
      const batch = writes.slice(at, at + batchSize);
      for (const [index, error] of await this.#removeBatch(batch)) failed.set(batch[index]!, error);
    }
    return failed;
  }

  async #removeBatch(writes: readonly Write[]): Promise<ReadonlyMap<number, unknown>> {
    const [only] = writes;
    const deletes = writes.map(({ sequence }): Operation<Bytes> => ({ type: "delete", key: nameOf(sequence) }));
    const removed = writes.length === 1 ? this.storage.delete(nameOf(only!.sequence)) : this.storage.batch(deletes);
    return await removed.then(
      () => none,
      (error: unknown) => failuresOf(error, writes.length),
    );
  }

  async #check(name: string, told: number | undefined): Promise<Write | undefined> {
    const reader = new RecordReader(name);
    const size = told ?? (await this.storage.head(name))?.size ?? 0;
    if (size <= pieceSize || this.storage.capabilities.streams === "none") {
      const record = await this.storage.get(name);
      if (record === undefined) return undefined;
      reader.push(record);
    } else {
      const entry = await this.storage.read(name);
      if (entry === undefined) return undefined;
      await entry.value.pipeTo(new WritableStream({ write: (chunk) => reader.push(chunk) }));
    }
    return reader.end();
  }
}

const none: ReadonlyMap<number, unknown> = new Map();

/** The failures of a batch by position; any error but `partial` is that of all. */
function failuresOf(error: unknown, count: number): ReadonlyMap<number, unknown> {
  if (StorageError.is(error, "partial") && error.failures !== undefined) {
    return new Map(error.failures.map((failure) => [failure.index, failure.error]));
  }
  return new Map(Array.from({ length: count }, (_, index) => [index, error]));
}

function checkValue(write: Write, size: number, checksum: number): void {
  if (size !== write.size || checksum !== write.checksum) throw damaged(nameOf(write.sequence), "its value has changed");
}
