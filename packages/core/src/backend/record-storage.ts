import { checkBytes, concatBytes } from "../contract/bytes.ts";
import type { Clock } from "../contract/clock.ts";
import type {
  BatchOptions,
  Bytes,
  ByteSource,
  CallOptions,
  ClearOptions,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  WriteOptions,
} from "../contract/contract.ts";
import { checkKey, checkKeys } from "../contract/keys.ts";
import { checkBatch, checkClearOptions, checkDeleteOptions, checkListOptions, checkPutOptions, isExpired } from "../contract/options.ts";
import { cancelSource, checkSource, readSource, untilAborted } from "../contract/sources.ts";
import { StorageError } from "../contract/storage-error.ts";
import { rejecting } from "../shapes/rejecting.ts";
import { BaseByteStorage, otherVersion, wrongSize } from "./base-byte-storage.ts";
import { Lifecycle, storageClosed } from "./lifecycle.ts";
import type { ReadRange } from "./ordered-page.ts";
import { orderedPage } from "./ordered-page.ts";
import { expiryOf, infoOfRecord, valueStart } from "./record.ts";
import type { RecordChanges, RecordOutcome } from "./record-changes.ts";
import { RecordWriter } from "./record-writer.ts";
import type { Commits } from "./commits.ts";
import type { Turns } from "./turns.ts";

/** An open store of keys and bytes, with keys in order. */
export interface RecordStore {
  /** The record under a key, read at once. It is copied from before anything else is read. */
  record(key: string): Uint8Array | undefined;
  readonly range: ReadRange;
  readonly commits: Commits<RecordChanges, RecordOutcome>;
  close(): void | Promise<void>;
}

/** What an error of the store means; errors that are not the store's as they are. */
export type Translate = (error: unknown, operation: string, key: string | undefined) => unknown;

export interface RecordStorageOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly turns: Turns;
  open(): Promise<RecordStore>;
  readonly translate: Translate;
}

/**
 * What a backend extends whose store knows ordered keys and bytes only, reads them at once and commits several changes
 * together: all of the contract, by a record before each value. The backend says how its store is opened.
 */
export abstract class RecordStorage extends BaseByteStorage {
  override readonly name: string;
  readonly #options: RecordStorageOptions;
  readonly #lifecycle: Lifecycle;
  readonly #writer: RecordWriter;
  #store: RecordStore | undefined;
  /** The store is closed, which calls that outlived `close` find out. */
  #released = false;

  constructor(options: RecordStorageOptions) {
    super();
    const { name, clock } = options;
    this.name = name;
    this.#options = options;
    this.#writer = new RecordWriter({ storage: name, clock, translate: this.#meaningOf, commits: () => this.#store!.commits });
    this.#lifecycle = new Lifecycle({
      name,
      clock,
      open: async () => {
        this.#store = await options.open();
        void this.#store.commits.idle(); // sweeps what expired while nobody looked
      },
      flush: () => this.#store!.commits.idle(),
      release: async () => {
        this.#released = true;
        this.#store!.commits.stop();
        await this.#store!.close();
      },
    });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#read("get", key, options?.signal, (store) => {
      const record = this.#alive(store, key);
      return record === undefined ? undefined : valueOf(record, this.name, key);
    });
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#read("getEntry", key, options?.signal, (store) => this.#entry(store, key));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return rejecting(() => {
      checkKeys(keys, "getEntries", this.name);
      const { turns } = this.#options;
      return this.#run("getEntries", undefined, options?.signal, async (store) => {
        const entries: (Entry<Bytes> | undefined)[] = [];
        for (const key of keys) {
          if (!turns.hasTime) await turns.next();
          options?.signal?.throwIfAborted();
          entries.push(this.#entry(store, key));
        }
        return entries;
      });
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#read("head", key, options?.signal, (store) => {
      const record = this.#alive(store, key);
      return record === undefined ? undefined : infoOfRecord(record, this.name, key);
    });
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      const { turns } = this.#options;
      return this.#run("list", undefined, options.signal, (store) => orderedPage(options, this.name, turns, store.range));
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return rejecting(() => {
      checkKey(key, "put", this.name);
      checkBytes(value, "put", this.name, key);
      checkPutOptions(options, this, "put");
      return this.#write("put", key, options?.signal, () => this.#writer.put(key, value, options));
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return rejecting(() => {
      checkKey(key, "delete", this.name);
      checkDeleteOptions(options, this);
      return this.#write("delete", key, options?.signal, () => this.#writer.delete(key, options));
    });
  }

  /** All operations go into one transaction; without `atomic` each of them succeeds or fails by itself. */
  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      checkBatch(operations, options, this);
      return this.#run("batch", undefined, options?.signal, () =>
        options?.atomic === true ? this.#writer.batchAll(operations, options.signal) : this.#writer.batchEach(operations, options?.signal),
      );
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return rejecting(() => {
      checkClearOptions(options, this);
      return this.#run("clear", undefined, options?.signal, (store) => this.#writer.clear(store.range, options));
    });
  }

  /** Collects the value in memory, then puts it. */
  override async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    let sent = false;
    try {
      checkSource(source, this.name, key);
      checkKey(key, "write", this.name);
      checkPutOptions(options, this, "write");
      return await this.#lifecycle.during("write", async () => {
        await this.#run("write", key, options.signal, (store) => this.#checkCondition(store, key, options));
        sent = true;
        return await this.#writer.put(key, await collected(source, options, this.name, key), options, "write");
      });
    } catch (error) {
      if (!sent) cancelSource(source, error);
      throw error;
    }
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", undefined, options?.signal, ({ commits }) => commits.idle());
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  /** Transactions, and the sets of changes in them, since the store was opened. */
  protected get committed(): Readonly<Record<string, number>> {
    const { transactions = 0, changes = 0 } = this.#store?.commits ?? {};
    return { transactions, changes };
  }

  /** Rejects a condition that does not hold already, before a source is read for nothing. The store decides once more. */
  #checkCondition(store: RecordStore, key: string, { ifMatch, ifNoneMatch }: PutOptions): void {
    if (ifMatch === undefined && ifNoneMatch === undefined) return;
    const record = this.#alive(store, key);
    const etag = record === undefined ? undefined : infoOfRecord(record, this.name, key).etag;
    if (ifMatch === undefined ? etag !== undefined : etag !== ifMatch) throw otherVersion("write", this.name, key);
  }

  #alive(store: RecordStore, key: string): Uint8Array | undefined {
    const record = store.record(key);
    return record !== undefined && isExpired(expiryOf(record), this.#options.clock) ? undefined : record;
  }

  #entry(store: RecordStore, key: string): Entry<Bytes> | undefined {
    const record = this.#alive(store, key);
    return record === undefined ? undefined : { ...infoOfRecord(record, this.name, key), value: valueOf(record, this.name, key) };
  }

  /** A call that reads one key: done at once, on the calling thread, where the turn has time left. */
  #read<T>(operation: OperationName, key: string, signal: AbortSignal | undefined, work: (store: RecordStore) => T): Promise<T> {
    try {
      checkKey(key, operation, this.name);
      signal?.throwIfAborted();
      if (!this.#lifecycle.ready || !this.#options.turns.hasTime) return this.#run(operation, key, signal, work);
      return Promise.resolve(work(this.#store!));
    } catch (error) {
      return Promise.reject(this.#reasonOf(error, operation, key, signal));
    }
  }

  /** A call that writes one key: it waits among the changes of this turn, and `close` for it with them. */
  #write<T>(operation: OperationName, key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    return this.#lifecycle.ready ? work() : this.#run(operation, key, signal, work);
  }

  async #run<T>(
    operation: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (store: RecordStore) => T | Promise<T>,
  ): Promise<T> {
    const { turns } = this.#options;
    try {
      const begin = async (): Promise<T> => {
        if (!turns.hasTime) await turns.next();
        return await work(this.#store!);
      };
      const running = this.#lifecycle.run(operation, begin, signal);
      return await (signal === undefined ? running : untilAborted(running, signal));
    } catch (error) {
      throw this.#reasonOf(error, operation, key, signal);
    }
  }

  /** Why a call failed; the reason of its signal stays as it is. */
  #reasonOf(error: unknown, operation: string, key: string | undefined, signal: AbortSignal | undefined): unknown {
    return signal?.aborted === true && error === signal.reason ? error : this.#meaningOf(error, operation, key);
  }

  /** What an error of the store means; once it is closed, that it is, unless a write may have been made. */
  readonly #meaningOf: Translate = (error, operation, key) => {
    const meaning = this.#options.translate(error, operation, key);
    if (!this.#released || (StorageError.is(error) && error.code !== "closed")) return meaning;
    return StorageError.is(meaning) && meaning.outcome === "unknown" ? meaning : storageClosed(this.name, operation, key);
  };
}

async function collected(source: ByteSource, { size, signal }: WriteOptions, storage: string, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of readSource(source, signal)) {
    received += chunk.byteLength;
    if (size !== undefined && received > size) throw wrongSize(size, "more", storage, key);
    chunks.push(chunk);
  }
  if (size !== undefined && received < size) throw wrongSize(size, String(received), storage, key);
  return concatBytes(chunks);
}

function valueOf(record: Uint8Array, storage: string, key: string): Bytes {
  const start = valueStart(record, storage, key);
  const size = record.byteLength - start;
  const value = new Uint8Array(size);
  value.set(new Uint8Array(record.buffer, record.byteOffset + start, size));
  return value;
}
