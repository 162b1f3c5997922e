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
  WriteOptions,
} from "@stowage/core";
import {
  BaseByteStorage,
  checkBytes,
  checkDeleteOptions,
  checkKey,
  checkKeys,
  checkListOptions,
  checkOptions,
  checkPutOptions,
  compareKeys,
  defaultListLimit,
  Etags,
  expiryOf,
  infoOfRecord,
  isExpired,
  Lifecycle,
  packRecord,
  refuseAbility,
  rejecting,
  StorageError,
  systemClock,
  untilAborted,
  valueStart,
  withExpiry,
} from "@stowage/core";
import type { KeyvAdapter } from "./adapter.ts";
import { Port } from "./adapter.ts";
import { decodeText, encodeText, prefixOf } from "./keys.ts";
import { definitions } from "./options.ts";

export interface KeyvOptions {
  /** A storage adapter of Keyv, or a `Map`; or what makes one, which is then disconnected when the storage is closed. */
  readonly store: KeyvAdapter | (() => KeyvAdapter | Promise<KeyvAdapter>);
  /** Keeps the entries of this storage apart from all others in the same store. @default "" */
  readonly namespace?: string | undefined;
  /** What the store promises of an acknowledged write, which nobody can find out. @default "memory" */
  readonly durability?: "memory" | "process" | "power" | undefined;
  /** Whether other processes use the same store. @default false */
  readonly shared?: boolean | undefined;
  /** Letters of the longest key that the store takes, with the namespace and with `%xx` for letters that are not plain. @default unlimited */
  readonly maxKeySize?: number | undefined;
  /** By another clock than that of the machine the store is not told when entries expire. @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

const storageName = "keyv";

/**
 * A storage of bytes in any store that Keyv has an adapter for. It talks to the adapter and not to Keyv, which answers a
 * failure with `undefined` or `false`.
 *
 * ```ts
 * const files = keyvStorage({ store: new KeyvPostgres("postgresql://localhost/files"), durability: "power", shared: true });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function keyvStorage(options: KeyvOptions): ByteStorage {
  return new KeyvStorage(options);
}

class KeyvStorage extends BaseByteStorage {
  override readonly name: string = storageName;
  readonly #store: KeyvOptions["store"];
  readonly #prefix: string;
  readonly #maxKeySize: number;
  readonly #options: Readonly<Record<string, unknown>>;
  readonly #clock: Clock;
  readonly #abilities: Capabilities;
  readonly #lifecycle: Lifecycle;
  readonly #etags = new Etags();
  #port: Port | undefined;

  constructor(options: KeyvOptions) {
    super();
    checkOptions(definitions, options, storageName, ["store"]);
    const {
      store,
      namespace = "",
      durability = "memory",
      shared = false,
      maxKeySize = Number.POSITIVE_INFINITY,
      clock = systemClock,
    } = options;
    if (typeof store !== "function" && !isAdapter(store)) {
      throw new StorageError("invalid-option", "keyv: store must be a storage adapter of Keyv, a Map, or a function that makes one.", {
        storage: storageName,
      });
    }
    this.#store = store;
    this.#prefix = prefixOf(namespace);
    this.#maxKeySize = maxKeySize;
    this.#clock = clock;
    this.#options = { namespace, durability, shared, ...(maxKeySize !== Number.POSITIVE_INFINITY && { maxKeySize }) };
    this.#port = typeof store === "function" ? undefined : new Port(store);
    this.#abilities = {
      ttl: "native",
      metadata: true,
      conditions: [],
      list: "unordered",
      atomicBatch: false,
      anyKey: maxKeySize === Number.POSITIVE_INFINITY,
      streams: "buffered",
      durability,
      shared,
    };
    this.#lifecycle = new Lifecycle({ name: storageName, clock, open: () => this.#open(), release: () => this.#release() });
  }

  /** A store that is made by the first call is thought able to list. */
  override get capabilities(): Capabilities {
    return this.#port?.canIterate === false ? { ...this.#abilities, list: "none" } : this.#abilities;
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#on("get", key, options?.signal, async (port, stored) => {
      const record = this.#living(await port.get(stored));
      return record?.slice(valueStart(record, storageName, key));
    });
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#on("getEntry", key, options?.signal, async (port, stored) => this.#entryOf(key, await port.get(stored)));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return rejecting(() => {
      checkKeys(keys, "getEntries", storageName);
      const stored = keys.map((key) => this.#storedKey(key, "getEntries"));
      return this.#run("getEntries", undefined, options?.signal, async (port) => {
        const found = await port.getMany(stored);
        return keys.map((key, index) => this.#entryOf(key, found[index]));
      });
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#on("head", key, options?.signal, async (port, stored) => {
      const record = this.#living(await port.get(stored));
      return record && infoOfRecord(record, storageName, key);
    });
  }

  /** Looks at every key of the store for each page, because an adapter cannot be asked to go on where a page ended. */
  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      const after = positionOf(options.cursor);
      return this.#run("list", undefined, options.signal, (port) => this.#page(port, after, options));
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return rejecting(() => {
      checkPutOptions(options, this, "put");
      checkBytes(value, "put", storageName, key);
      const { expiresAt, metadata } = withExpiry(options, this.#clock) ?? {};
      const isDelete = expiresAt !== undefined && expiresAt <= this.#clock.now();
      const described = metadata === undefined || Object.keys(metadata).length === 0 ? undefined : metadata;
      const version = { etag: this.#etags.next(), modifiedAt: this.#clock.now(), expiresAt, metadata: described };
      const record = packRecord(version, value);
      return this.#on("put", key, options?.signal, async (port, stored) => {
        if (isDelete) await port.delete(stored);
        else await port.set(stored, Buffer.from(record).toString("base64"), this.#clock === systemClock ? expiresAt : undefined);
        return infoOfRecord(record, storageName, key);
      });
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return rejecting(() => {
      checkDeleteOptions(options, this);
      return this.#on("delete", key, options?.signal, (port, stored) => port.delete(stored));
    });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", () => super.batch(operations, options));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return this.#lifecycle.duringWrite(source, () => super.write(key, source, options));
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", undefined, options?.signal, async () => {});
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#lifecycle.during("clear", () => {
      if (this.capabilities.list === "none") refuseAbility("clear, which needs a list", this, "clear");
      return super.clear(options);
    });
  }

  protected override step<T>(begin: () => T): T {
    return this.#lifecycle.step(begin);
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  override details(): Details {
    return { options: this.#options, stats: { adapterErrors: this.#port?.failures ?? 0 } };
  }

  async #page(port: Port, after: string, { prefix = "", limit = defaultListLimit, info = false, signal }: ListOptions): Promise<Page> {
    const found: EntryInfo[] = [];
    for await (const [stored, value] of port.entries()) {
      signal?.throwIfAborted();
      const key = stored.startsWith(this.#prefix) ? decodeText(stored.slice(this.#prefix.length)) : undefined;
      if (key === undefined || !key.startsWith(prefix) || (after !== "" && compareKeys(key, after) <= 0)) continue;
      const record = this.#living(value);
      if (record === undefined) continue;
      found.push(info ? infoOfRecord(record, storageName, key) : { key });
      if (found.length > 2 * limit + 1_000) keepFirst(found, limit + 1);
    }
    keepFirst(found, limit + 1);
    const entries = found.slice(0, limit);
    return found.length > limit ? { entries, prefixes: [], cursor: `${afterKey}${entries.at(-1)!.key}` } : { entries, prefixes: [] };
  }

  #entryOf(key: string, value: string | undefined): Entry<Bytes> | undefined {
    const record = this.#living(value);
    return record && { ...infoOfRecord(record, storageName, key), value: record.slice(valueStart(record, storageName, key)) };
  }

  #living(value: string | undefined): Bytes | undefined {
    if (value === undefined) return undefined;
    const record = new Uint8Array(Buffer.from(value, "base64"));
    return isExpired(expiryOf(record), this.#clock) ? undefined : record;
  }

  #storedKey(key: string, operation: string): string {
    checkKey(key, operation, storageName);
    const stored = this.#prefix + encodeText(key);
    if (stored.length <= this.#maxKeySize) return stored;
    throw new StorageError("invalid-key", `The key takes ${stored.length} letters in the store, and ${this.#maxKeySize} are the most.`, {
      operation,
      key,
      storage: storageName,
    });
  }

  #on<T>(
    operation: OperationName,
    key: string,
    signal: AbortSignal | undefined,
    work: (port: Port, stored: string) => Promise<T>,
  ): Promise<T> {
    return rejecting(() => {
      const stored = this.#storedKey(key, operation);
      return this.#run(operation, key, signal, (port) => work(port, stored));
    });
  }

  /** A call, which an abort ends at once: an adapter knows no signals. */
  async #run<T>(
    operation: OperationName,
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (port: Port) => Promise<T>,
  ): Promise<T> {
    try {
      const running = this.#lifecycle.run(operation, () => work(this.#port!), signal);
      return await (signal === undefined ? running : untilAborted(running, signal));
    } catch (error) {
      if (StorageError.is(error) || (signal?.aborted === true && error === signal.reason)) throw error;
      const changes = operation === "put" || operation === "delete" || operation === "write";
      throw new StorageError("unavailable", "The store behind the adapter failed; see the cause.", {
        operation,
        key,
        storage: storageName,
        outcome: changes ? "unknown" : "none",
        cause: error,
      });
    }
  }

  async #open(): Promise<void> {
    if (typeof this.#store !== "function") return;
    const made = await this.#store();
    if (!isAdapter(made))
      throw new StorageError("config", "What makes the store of keyv must give a storage adapter of Keyv.", { storage: storageName });
    this.#port = new Port(made);
  }

  async #release(): Promise<void> {
    await this.#port?.close(typeof this.#store === "function");
  }
}

/** How a cursor begins: it is the last key of its page. */
const afterKey = "key:";

function positionOf(cursor: string | undefined): string {
  if (cursor === undefined) return "";
  if (cursor.startsWith(afterKey)) return cursor.slice(afterKey.length);
  throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: storageName });
}

/** Sorts entries by key, and drops all but the first. */
function keepFirst(entries: EntryInfo[], count: number): void {
  entries.sort((a, b) => compareKeys(a.key, b.key));
  if (entries.length > count) entries.length = count;
}

function isAdapter(store: unknown): store is KeyvAdapter {
  if (typeof store !== "object" || store === null) return false;
  return (["get", "set", "delete"] as const).every((name) => name in store && typeof (store as KeyvAdapter)[name] === "function");
}
