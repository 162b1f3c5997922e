import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  Clock,
  DeleteOptions,
  EntryInfo,
  Operation,
  PutOptions,
  WriteOptions,
} from "@stowage/core";
import {
  checkBatch,
  checkBytes,
  checkDeleteOptions,
  checkKey,
  checkPutOptions,
  checkSource,
  concatBytes,
  isExpired,
  partial,
  preparedBatch,
  readSource,
  refuseAbility,
  StorageError,
  withExpiry,
  wrongSize,
} from "@stowage/core";
import { isPlainKey } from "./capabilities.ts";
import type { Settings } from "./options.ts";
import type { Item, Queue } from "./queue.ts";
import { keptSize } from "./queue.ts";
import type { Draft } from "./write.ts";
import { infoOf } from "./write.ts";

export interface IntakeOptions {
  readonly below: ByteStorage;
  readonly queue: Queue;
  readonly settings: Settings;
  readonly clock: Clock;
}

/** Checks what callers want written, and brings it to the queue: whole, as a stream, or past it. */
export class Intake {
  readonly #storage: Pick<ByteStorage, "name" | "capabilities">;
  readonly #below: ByteStorage;
  readonly #queue: Queue;
  readonly #settings: Settings;
  readonly #clock: Clock;

  /** @param storage in whose name things are refused */
  constructor(storage: Pick<ByteStorage, "name" | "capabilities">, { below, queue, settings, clock }: IntakeOptions) {
    this.#storage = storage;
    this.#below = below;
    this.#queue = queue;
    this.#settings = settings;
    this.#clock = clock;
  }

  async put(key: string, value: Uint8Array, options: PutOptions | undefined): Promise<EntryInfo> {
    const item = await this.#prepare("put", key, value, options, options?.signal);
    return await this.#put(item, options?.signal);
  }

  async delete(key: string, options: DeleteOptions | undefined): Promise<void> {
    checkDeleteOptions(options, this.#storage);
    await this.#queue.accept(await this.#prepareDelete("delete", key, options?.signal), options?.signal);
  }

  async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    checkSource(source, this.#storage.name, key);
    const draft = this.#draft("write", key, options);
    if (this.#storage.capabilities.streams === "none") refuseAbility("write", this.#storage, "write");
    await this.#checkBelow(key, options.signal);
    const stop = new AbortController();
    const chunks = readSource(source, options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]));
    try {
      return await this.#write(draft, chunks, options);
    } catch (error) {
      stop.abort(error); // a generator that waits for its source cannot be told to stop in another way
      throw error;
    } finally {
      void chunks.return();
    }
  }

  async batch(operations: readonly Operation<Bytes>[], options: BatchOptions | undefined): Promise<void> {
    checkBatch(operations, options, this.#storage);
    const signal = options?.signal;
    const items = new Map<Operation<Bytes>, Item>();
    const prepare = async (operation: Operation<Bytes>): Promise<Operation<Bytes>> => {
      const own = { ...operation }; // the same object may be there twice
      const { key } = own;
      const prepared =
        own.type === "put" ? this.#prepare("batch", key, own.value, own.options, signal) : this.#prepareDelete("batch", key, signal);
      items.set(own, await prepared);
      return own;
    };
    await preparedBatch(this.#storage.name, operations, options, prepare, async (prepared) => {
      const sent = prepared.map((operation) => items.get(operation)!);
      const failures = Array.from(await this.#batch(sent, signal), ([index, error]) => ({
        index,
        key: prepared[index]!.key,
        error,
      }));
      if (failures.length > 0) throw partial("batch", this.#storage.name, failures, prepared.length);
    });
  }

  #draft(operation: "put" | "write" | "batch", key: string, options: Omit<WriteOptions, "signal"> | undefined): Draft {
    checkKey(key, operation, this.#storage.name);
    checkPutOptions(options, this.#storage, operation);
    const { metadata, expiresAt } = withExpiry(options, this.#clock, this.#storage) ?? {};
    return { type: "put", key, modifiedAt: this.#clock.now(), expiresAt, metadata: metadata && { ...metadata } };
  }

  async #prepare(
    operation: "put" | "batch",
    key: string,
    value: Uint8Array,
    options: Omit<PutOptions, "signal"> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Item> {
    const draft = this.#draft(operation, key, options);
    checkBytes(value, operation, this.#storage.name, key);
    await this.#checkBelow(key, signal);
    return { draft, value };
  }

  async #prepareDelete(operation: "delete" | "batch", key: string, signal: AbortSignal | undefined): Promise<Item> {
    checkKey(key, operation, this.#storage.name);
    await this.#checkBelow(key, signal);
    const draft = { type: "delete", key, modifiedAt: this.#clock.now(), expiresAt: undefined, metadata: undefined } as const;
    return { draft, value: nothing };
  }

  /** Refuses a key that the storage below cannot hold before its write is acknowledged. */
  async #checkBelow(key: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#below.capabilities.anyKey || isPlainKey(key)) return;
    await this.#below.has(key, { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (StorageError.is(error, "invalid-key")) throw error;
    });
  }

  async #put({ draft, value }: Item, signal: AbortSignal | undefined): Promise<EntryInfo> {
    const { key, expiresAt, metadata } = draft;
    if (value.byteLength > this.#settings.maxPendingSize) {
      return await this.#past(key, signal, () => this.#below.put(key, value, { expiresAt, metadata, signal }));
    }
    await this.#queue.accept({ draft, value: isExpired(expiresAt, this.#clock) ? nothing : value }, signal);
    return infoOf({ ...draft, size: value.byteLength });
  }

  /** What is too large to be pending goes below at once, in the place of what is pending. */
  #past(key: string, signal: AbortSignal | undefined, write: () => Promise<EntryInfo>): Promise<EntryInfo> {
    return this.#queue.exclusively({ prefix: key, exact: true }, signal, write);
  }

  async #batch(items: readonly Item[], signal: AbortSignal | undefined): Promise<ReadonlyMap<number, unknown>> {
    if (items.every(({ value }) => value.byteLength <= this.#settings.maxPendingSize)) return await this.#queue.acceptAll(items, signal);
    const failures = new Map<number, unknown>();
    for (const [index, item] of items.entries()) {
      await this.#put(item, signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        failures.set(index, error);
      });
    }
    return failures;
  }

  /** A small value is put. A larger one streams into the journal, or past it. */
  async #write(draft: Draft, chunks: AsyncGenerator<Uint8Array, void, void>, options: WriteOptions): Promise<EntryInfo> {
    const { size, signal } = options;
    const { journal, maxPendingSize } = this.#settings;
    const { key, expiresAt, metadata } = draft;
    const most = journal === undefined ? maxPendingSize : Math.min(keptSize, maxPendingSize);
    const first: Uint8Array[] = [];
    let received = 0;
    for (;;) {
      const step = await chunks.next();
      if (step.done === true) break;
      received += step.value.byteLength;
      first.push(step.value);
      if (size !== undefined && received > size) throw wrongSize(size, "more", this.#storage.name, key);
      if (received <= most) continue;
      const rest = chained(first, chunks);
      if (journal === undefined || (size ?? 0) > maxPendingSize) {
        return await this.#past(key, signal, () => this.#below.write(key, rest, { size, expiresAt, metadata, signal }));
      }
      const whole = await this.#queue.acceptStream(draft, rest, { size, signal });
      return infoOf({ ...draft, size: whole });
    }
    if (size !== undefined && received < size) throw wrongSize(size, String(received), this.#storage.name, key);
    return await this.#put({ draft, value: concatBytes(first) }, signal);
  }
}

const nothing: Uint8Array = new Uint8Array(0);

/** Chunks that were looked at already, and the rest. */
async function* chained(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes, void, void> {
  yield* first as readonly Bytes[];
  yield* rest as AsyncIterable<Bytes>;
}
