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
  checkPutOptions,
  checkReadOptions,
  checkSource,
  Lifecycle,
  rejecting,
  StorageError,
  systemClock,
  untilAborted,
} from "@stowage/core";
import type { RedisConnectionOptions } from "./address.ts";
import { Bodies } from "./bodies.ts";
import { batchEach, deleteEach } from "./bulk.ts";
import { checkStorageOptions, redacted } from "./checking.ts";
import { Cluster } from "./cluster.ts";
import type { Connection, Reply } from "./command.ts";
import { storageName } from "./errors.ts";
import { collectGarbage } from "./gc.ts";
import { listOrdered, listUnordered, startOf } from "./listing.ts";
import type { Listed } from "./listing.ts";
import type { RedisLock } from "./lock.ts";
import { takeLock } from "./lock.ts";
import { Names } from "./names.ts";
import { checkDurability, checkFormat } from "./opening.ts";
import { Reader } from "./reader.ts";
import { Replicas } from "./replicas.ts";
import { clearIndexed, run } from "./scripts.ts";
import { Server } from "./server.ts";
import { Writer } from "./writer.ts";

export interface RedisOptions extends RedisConnectionOptions {
  /** Which of several storages in one database this is: letters, digits, and `. _ : / -`. @default "stowage" */
  readonly namespace?: string | undefined;
  /** Keeps an index of the keys, so that lists are ordered and cost what they give. Not in a cluster. @default false */
  readonly ordered?: boolean | undefined;
  /**
   * What an acknowledged write must survive: nothing, the end of the server, or loss of power. The server is asked when it is
   * opened, and refused where it keeps less. Not with sentinels or a cluster: a failover loses what was not replicated.
   * @default "memory"
   */
  readonly durability?: "memory" | "process" | "power" | undefined;
  /** Replicas that must have a write before it is acknowledged; fewer within 0.4 of `commandTimeout` is `unavailable`. @default 0 */
  readonly waitReplicas?: number | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/**
 * A storage of bytes in Redis 7 or later, or Valkey: one server, a primary that sentinels watch, or a cluster.
 *
 * ```ts
 * const sessions = redisStorage({ url: "redis://127.0.0.1:6379", namespace: "sessions" });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function redisStorage(options: RedisOptions = {}): ByteStorage {
  return new RedisStorage(options);
}

/** What `redisStorage()` makes; `findLayer(storage, RedisStorage)` finds it. */
export class RedisStorage extends BaseByteStorage {
  override readonly name: string = storageName;
  override readonly capabilities: Capabilities;
  readonly #options: RedisOptions;
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #listed: Listed;
  readonly #ordered: boolean;
  readonly #lifecycle: Lifecycle;

  constructor(options: RedisOptions = {}) {
    super();
    checkStorageOptions(options);
    const { namespace = "stowage", ordered = false, durability = "memory", waitReplicas = 0, clock = systemClock } = options;
    const { cluster, commandTimeout = 5_000 } = options;
    this.#options = options;
    this.#ordered = ordered;
    this.#names = new Names(namespace);
    this.#connection = cluster === undefined ? new Server(options, clock) : new Cluster(options, clock);
    const bodies = new Bodies(this.#connection);
    // Whoever comes while others wait for replicas waits for those first, and must still be answered in time.
    const patience = Math.max(1, Math.floor(commandTimeout * 0.4));
    const replicas = waitReplicas === 0 ? undefined : new Replicas(this.#connection, waitReplicas, patience, cluster === undefined);
    this.#reader = new Reader(this.#connection, this.#names, bodies);
    this.#writer = new Writer({ connection: this.#connection, names: this.#names, bodies, clock, ordered, replicas });
    this.#listed = {
      connection: this.#connection,
      names: this.#names,
      look: (key) => this.#reader.info(key, "list"),
      has: (key) => this.#reader.has(key, "list"),
    };
    this.capabilities = {
      ttl: "native",
      metadata: true,
      conditions: ["create", "replace", "delete", "stream"],
      list: ordered ? "ordered" : "unordered",
      atomicBatch: cluster === undefined,
      anyKey: true,
      streams: "native",
      durability,
      shared: true,
    };
    this.#lifecycle = new Lifecycle({
      name: storageName,
      clock,
      open: () => this.#open(),
      flush: () => this.#connection.idle(),
      release: async () => this.#connection.close(),
    });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#one("get", key, options?.signal, () => this.#reader.value(key));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#one("getEntry", key, options?.signal, () => this.#reader.entry(key));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return rejecting(() => {
      checkKeys(keys, "getEntries", storageName);
      return this.#run("getEntries", options?.signal, () => Promise.all(keys.map((key) => this.#reader.entry(key, "getEntries"))));
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#one("head", key, options?.signal, () => this.#reader.info(key));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#one("has", key, options?.signal, () => this.#reader.has(key));
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      return this.#run("list", options.signal, () => {
        const list = this.#ordered ? listOrdered : listUnordered;
        return list(this.#listed, options);
      });
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return rejecting(() => {
      checkKey(key, "put", storageName);
      checkBytes(value, "put", storageName, key);
      checkPutOptions(options, this, "put");
      return this.#one("put", key, options?.signal, () => this.#writer.put(key, value, options));
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return rejecting(() => {
      checkDeleteOptions(options, this);
      return this.#one("delete", key, options?.signal, () => this.#writer.delete(key, options));
    });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      checkBatch(operations, options, this);
      const signal = options?.signal;
      if (options?.atomic !== true) return this.#run("batch", signal, () => batchEach(this.#writer, operations, signal));
      for (const operation of operations) {
        checkKey(operation.key, "batch", storageName);
        if (operation.type === "put") checkBytes(operation.value, "batch", storageName, operation.key);
      }
      return this.#run("batch", signal, () => this.#writer.batch(operations, signal));
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return rejecting(() => {
      checkClearOptions(options, this);
      return this.#run("clear", options?.signal, () =>
        this.#ordered ? this.#clearIndexed(options) : deleteEach(this.#writer, this.#scan(options), options?.signal),
      );
    });
  }

  override read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return rejecting(() => {
      checkReadOptions(options, this);
      return this.#one("read", key, options.signal, () => this.#reader.stream(key, options));
    });
  }

  override async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    let taken = false;
    try {
      checkSource(source, storageName, key);
      checkKey(key, "write", storageName);
      checkPutOptions(options, this, "write");
      return await this.#run("write", options.signal, () => {
        taken = true;
        return this.#writer.write(key, source, options);
      });
    } catch (error) {
      if (!taken) cancelSource(source, error);
      throw error;
    }
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", options?.signal, () => this.#connection.idle());
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  /**
   * Takes the lock of this name for `ttl` milliseconds, by the clock of the server, or gives `undefined` where somebody holds
   * it. Locks have names of their own, apart from the entries. A failover may lose one, so let what it protects look at the token.
   *
   * @throws StorageError `invalid-key`, `invalid-option`
   */
  lock(key: string, ttl: number): Promise<RedisLock | undefined> {
    return rejecting(() => {
      checkKey(key, "lock", storageName);
      return this.#run("lock", undefined, () => takeLock(this.#connection, this.#names, key, ttl));
    });
  }

  /**
   * Lets chunks go that a process which died between two commands left behind, 30 seconds from now, and answers of how many
   * values. Looks at all names of the database.
   */
  gc(): Promise<number> {
    return this.#run("gc", undefined, () => collectGarbage(this.#connection, this.#names));
  }

  override details(): Details {
    return { options: redacted(this.#options), stats: { reconnects: this.#connection.reconnects } };
  }

  /** A call about one key, with nothing but the call itself where the storage is open and no signal may end it. */
  #one<T>(operation: OperationName, key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      checkKey(key, operation, storageName);
      if (signal === undefined && this.#lifecycle.ready) return this.#lifecycle.during(operation, work);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(operation, signal, work);
  }

  async #run<T>(operation: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const running = this.#lifecycle.run(operation, work, signal);
    try {
      return await untilAborted(running, signal);
    } catch (error) {
      if (!StorageError.is(error) || error.operation !== "open") throw error;
      const { code, message, retryable, cause } = error;
      throw new StorageError(code, message, { operation, retryable, cause, storage: storageName });
    }
  }

  async #open(): Promise<void> {
    const { durability = "memory" } = this.#options;
    await this.#connection.open();
    try {
      await checkFormat(this.#connection, this.#names, this.#ordered);
      if (durability !== "memory") await checkDurability(this.#connection, this.#names.format, durability);
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** All keys, by SCAN. */
  async *#scan({ prefix, signal }: ClearOptions = {}): AsyncGenerator<string, void, void> {
    let cursor: string | undefined;
    do {
      const page = await listUnordered(this.#listed, { prefix, signal, cursor });
      for (const { key } of page.entries) yield key;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async #clearIndexed({ prefix = "", signal }: ClearOptions = {}): Promise<void> {
    const end = prefix === "" ? "+" : Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(0xff)]);
    const call = { operation: "clear", writes: true };
    let from = startOf({ prefix });
    for (let more = true; more;) {
      signal?.throwIfAborted();
      const args = [this.#names.entries, from, end];
      const reply = await run(this.#connection, clearIndexed, [this.#names.index], args, call, (answer: Reply) => answer);
      const [isEnd, next] = reply as readonly [number, Buffer];
      more = isEnd === 0;
      from = next;
    }
  }
}
