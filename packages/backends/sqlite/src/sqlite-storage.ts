import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  Capabilities,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import {
  BaseByteStorage,
  cancelSource,
  checkBatch,
  checkBytes,
  checkClearOptions,
  checkDeleteOptions,
  checkKey,
  checkKeys,
  checkListOptions,
  checkOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  Commits,
  Lifecycle,
  orderedPage,
  rejecting,
  StorageError,
  systemClock,
  Turns,
  untilAborted,
} from "@stowage/core";
import { backUp } from "./backup.ts";
import type { BackupProgress } from "./backup.ts";
import { Bodies } from "./bodies.ts";
import type { Change, Outcome } from "./changes.ts";
import type { ConnectionOptions, WritingConnection } from "./connection.ts";
import { openReading, openWriting } from "./connection.ts";
import { storageName, translate } from "./errors.ts";
import { isBusy } from "./faults.ts";
import { checkHead } from "./head.ts";
import type { Settings, SqliteOptions } from "./options.ts";
import { checkTable, definitions, settle } from "./options.ts";
import { Reader } from "./reader.ts";
import type { RunGroup } from "./thread.ts";
import { Thread } from "./thread.ts";
import { Writer } from "./writer.ts";

/** What a database takes. */
export interface SqliteSize {
  readonly entries: number;
  /** Bytes of all values. */
  readonly values: number;
  /** Bytes of the whole file, without its log. */
  readonly file: number;
}

export interface BackupOptions {
  /** Told after each step of the copy. @default nobody */
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
}

/**
 * A storage of bytes in an SQLite database file, by the SQLite that is part of Node. It can do all that the contract knows,
 * and several processes may use one file.
 *
 * ```ts
 * const users = sqliteStorage({ path: "./data.db", table: "users" });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function sqliteStorage(options: SqliteOptions): ByteStorage {
  return new SqliteStorage(options);
}

/** What there is while the database is open. */
interface Opened {
  readonly connection: WritingConnection;
  readonly thread: Thread | undefined;
  readonly commits: Commits<Change, Outcome>;
  readonly reader: Reader;
  readonly writer: Writer;
}

/** What `sqliteStorage()` makes; `findLayer(storage, SqliteStorage)` finds it. */
export class SqliteStorage extends BaseByteStorage {
  override readonly name: string = storageName;
  override readonly capabilities: Capabilities;
  readonly #path: string;
  readonly #options: Settings;
  readonly #clock: Clock;
  readonly #turns = new Turns(setImmediate);
  readonly #bodies: Bodies;
  readonly #lifecycle: Lifecycle;
  #opened: Opened | undefined;

  constructor(options: SqliteOptions) {
    super();
    const path = options?.path instanceof URL ? fileURLToPath(options.path) : options?.path;
    checkOptions(definitions, { ...options, path }, storageName);
    checkTable(options.table);
    this.#path = resolve(path);
    this.#options = settle(options);
    this.#clock = options.clock ?? systemClock;
    this.#bodies = new Bodies(() => openReading(this.#connectionOptions()), this.#turns);
    this.capabilities = {
      ttl: "native",
      metadata: true,
      conditions: ["create", "replace", "delete", "stream"],
      list: "ordered",
      atomicBatch: true,
      anyKey: true,
      streams: "native",
      durability: this.#options.durability,
      shared: true,
    };
    this.#lifecycle = new Lifecycle({
      name: storageName,
      clock: this.#clock,
      open: () => this.#open(),
      flush: () => this.#opened!.commits.idle(),
      release: () => this.#release(),
    });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#read("get", key, options?.signal, (reader) => reader.value(key));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#read("getEntry", key, options?.signal, (reader) => reader.entry(key));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return rejecting(() => {
      checkKeys(keys, "getEntries", storageName);
      return this.#run("getEntries", undefined, options?.signal, ({ reader }) => reader.entries(keys, options?.signal));
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#read("head", key, options?.signal, (reader) => reader.info(key));
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      return this.#run("list", undefined, options.signal, ({ connection }) =>
        orderedPage(options, storageName, this.#turns, (range, most, info) => connection.rows.range(range, most, info, this.#clock.now())),
      );
    });
  }

  // What writes one key waits among the changes of this turn, and `close` for it with them.
  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    try {
      checkKey(key, "put", storageName);
      checkBytes(value, "put", storageName, key);
      checkPutOptions(options, this, "put");
      options?.signal?.throwIfAborted();
      if (this.#lifecycle.ready) return this.#opened!.writer.put(key, value, options);
      return this.#run("put", key, options?.signal, ({ writer }) => writer.put(key, value, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    try {
      checkKey(key, "delete", storageName);
      checkDeleteOptions(options, this);
      options?.signal?.throwIfAborted();
      if (this.#lifecycle.ready) return this.#opened!.writer.delete(key, options);
      return this.#run("delete", key, options?.signal, ({ writer }) => writer.delete(key, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** All operations go into one transaction; without `atomic` each of them succeeds or fails by itself. */
  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      checkBatch(operations, options, this);
      return this.#run("batch", undefined, options?.signal, ({ writer }) =>
        options?.atomic === true ? writer.batchAll(operations, options.signal) : writer.batchEach(operations, options?.signal),
      );
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return rejecting(() => {
      checkClearOptions(options, this);
      return this.#run("clear", undefined, options?.signal, ({ writer }) => writer.clear(options?.prefix ?? "", options?.signal));
    });
  }

  override read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return rejecting(() => {
      checkKey(key, "read", storageName);
      checkReadOptions(options, this);
      return this.#read("read", key, options.signal, (reader) => reader.stream(key, options));
    });
  }

  override async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    let sent = false;
    try {
      checkSource(source, storageName, key);
      checkKey(key, "write", storageName);
      checkPutOptions(options, this, "write");
      return await this.#lifecycle.during("write", async () => {
        await this.#run("write", key, options.signal, ({ writer }) => writer.checkCondition(key, options));
        sent = true;
        return await this.#opened!.writer.write(key, source, options); // an error of the source stays as it is
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

  /**
   * Writes a copy of the database as it is now into another file, while it goes on being used. The copy appears under its
   * path when it is complete and on the disk, in place of what was there.
   *
   * @throws StorageError `invalid-option` where the path leads to the database itself, or to one that is in use or was not closed
   */
  backup(path: string | URL, { onProgress }: BackupOptions = {}): Promise<void> {
    return rejecting(() => {
      const target = resolve(path instanceof URL ? fileURLToPath(path) : path);
      const copy = (): Promise<void> => backUp(this.#path, () => openReading(this.#connectionOptions()).database, target, onProgress);
      return this.#run("backup", undefined, undefined, copy);
    });
  }

  /** Writes the database anew without what was deleted, and gives that room back to the disk. Nothing else runs meanwhile. */
  vacuum(): Promise<void> {
    return this.#run("vacuum", undefined, undefined, ({ connection }) => {
      connection.database.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    });
  }

  /** What is stored, and what it takes on the disk. Looks at every entry. */
  size(): Promise<SqliteSize> {
    return this.#run("size", undefined, undefined, ({ connection: { rows, database } }) => {
      const { entries, bytes } = rows.size();
      const { page_count: pages } = database.prepare("PRAGMA page_count").get() as { page_count: number };
      const { page_size: pageSize } = database.prepare("PRAGMA page_size").get() as { page_size: number };
      return { entries, values: bytes, file: pages * pageSize };
    });
  }

  override details(): Details {
    const { transactions = 0, changes = 0 } = this.#opened?.commits ?? {};
    return {
      options: { path: this.#path, ...this.#options },
      stats: { transactions, changes, openStreams: this.#bodies.openStreams },
    };
  }

  /** A call that reads one key: done at once, on the calling thread, where the turn has time left. */
  #read<T>(operation: OperationName, key: string, signal: AbortSignal | undefined, work: (reader: Reader) => T | Promise<T>): Promise<T> {
    try {
      checkKey(key, operation, storageName);
      signal?.throwIfAborted();
      if (!this.#lifecycle.ready || !this.#turns.hasTime) return this.#run(operation, key, signal, ({ reader }) => work(reader));
      const result = work(this.#opened!.reader);
      if (!(result instanceof Promise)) return Promise.resolve(result);
      const running = this.#lifecycle.during(operation, () => untilAborted(result, signal));
      return running.catch((error: unknown) => {
        throw translate(error, operation, key, signal);
      });
    } catch (error) {
      if (isBusy(error)) return this.#run(operation, key, signal, ({ reader }) => work(reader));
      return Promise.reject(translate(error, operation, key, signal));
    }
  }

  async #run<T>(
    operation: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (opened: Opened) => T | Promise<T>,
  ): Promise<T> {
    try {
      const running = this.#lifecycle.run(operation, () => this.#untilFree(() => work(this.#opened!), signal), signal);
      return await (signal === undefined ? running : untilAborted(running, signal));
    } catch (error) {
      throw translate(error, operation, key, signal);
    }
  }

  /**
   * Repeats what cannot be done because another connection holds the lock. Writes wait for themselves; a read hardly ever
   * meets one: while a log is recovered, or removed by the last to close.
   */
  async #untilFree<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.#turns.hasTime) await this.#turns.next();
    const began = this.#clock.now();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isBusy(error) || this.#clock.now() - began >= this.#options.busyTimeout) throw error;
      }
      await this.#clock.sleep(lockInterval, signal);
    }
  }

  async #open(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await checkHead(this.#path);
    const connection = await this.#untilFree(() => openWriting(this.#connectionOptions()));
    const { thread: threaded, busyTimeout } = this.#options;
    const thread = threaded ? await this.#startThread(connection) : undefined;
    const direct: RunGroup = (changes, now) => connection.transactions.run(changes, now);
    const commits = new Commits<Change, Outcome>({
      run: thread?.run ?? direct,
      soon: (run) => process.nextTick(run),
      turns: this.#turns,
      clock: this.#clock,
      isBusy,
      busyTimeout,
    });
    const reader = new Reader(connection.rows, this.#bodies, this.#turns, this.#clock);
    const writer = new Writer(connection.rows, commits, this.#turns, this.#clock);
    this.#opened = { connection, thread, commits, reader, writer };
    void commits.idle(); // sweeps what earlier processes left behind
  }

  async #startThread({ database }: WritingConnection): Promise<Thread> {
    try {
      return await Thread.start(this.#connectionOptions(this.#options.busyTimeout));
    } catch (error) {
      database.close();
      throw error;
    }
  }

  async #release(): Promise<void> {
    const { commits, thread, connection } = this.#opened!;
    commits.stop();
    const closed = 'The storage "sqlite" was closed while this stream was open.';
    this.#bodies.stop(new StorageError("closed", closed, { operation: "read", storage: storageName }));
    await thread?.stop();
    connection.database.close();
  }

  #connectionOptions(lockTimeout = 0): ConnectionOptions {
    const { table, durability, cacheSize } = this.#options;
    return { path: this.#path, table, durability, cacheSize, lockTimeout };
  }
}

/** Milliseconds between two tries to read what another connection has locked. */
const lockInterval = 5;
