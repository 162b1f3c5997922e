import type {
  BatchOptions,
  ByteSource,
  Bytes,
  CallOptions,
  Capabilities,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  Storage,
  WriteOptions,
} from "@stowage/core";
import {
  cancelSource,
  checkBatch,
  checkDeleteOptions,
  checkKey,
  checkKeys,
  checkListOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  ForwardingStorage,
  otherVersion,
  refuseAbility,
  StorageError,
} from "@stowage/core";

/** What is taken away from a storage. */
export interface Weakness {
  readonly name: string;
  readonly lacks: Partial<Capabilities>;
  /** Also hides etags, as a store does that has none. */
  readonly etags?: false;
}

const conditions = { conditions: [] } as const;

/** Storages that lack one thing each, then one that lacks all. */
export const weaknesses: readonly Weakness[] = [
  { name: "without a list", lacks: { list: "none" } },
  { name: "with an unordered list", lacks: { list: "unordered" } },
  { name: "without ttl", lacks: { ttl: false } },
  { name: "with lazy ttl", lacks: { ttl: "lazy" } },
  { name: "without metadata", lacks: { metadata: false } },
  { name: "without conditions", lacks: conditions },
  { name: "with conditions on put alone", lacks: { conditions: ["create", "replace"] } },
  { name: "without etags", lacks: conditions, etags: false },
  { name: "without atomic batches", lacks: { atomicBatch: false } },
  { name: "without streams", lacks: { streams: "none", conditions: ["create", "replace", "delete"] } },
  { name: "of plain keys alone", lacks: { anyKey: false } },
  {
    name: "without all of that",
    lacks: { list: "none", ttl: false, metadata: false, ...conditions, atomicBatch: false, streams: "none", anyKey: false },
    etags: false,
  },
];

/** A storage that lacks abilities, says so, and refuses what it cannot honour. */
export class WeakenedStorage<V> extends ForwardingStorage<V> {
  readonly name = "weakened";
  readonly #weakness: Weakness;

  constructor(below: Storage<V>, weakness: Weakness) {
    super(below);
    this.#weakness = weakness;
  }

  override get capabilities(): Capabilities {
    const { capabilities } = this.below;
    const weakened = { ...capabilities, ...this.#weakness.lacks };
    return capabilities.ttl === false ? { ...weakened, ttl: false } : weakened; // lazy is more than none
  }

  override async get(key: string, options?: CallOptions): Promise<V | undefined> {
    this.#checkKey(key, "get");
    return await super.get(key, options);
  }

  override async getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    this.#checkKey(key, "getEntry");
    return this.#told(await super.getEntry(key, options));
  }

  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    checkKeys(keys, "getEntries", this.name);
    for (const key of keys) this.#checkKey(key, "getEntries");
    return (await super.getEntries(keys, options)).map((entry) => this.#told(entry));
  }

  override async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    this.#checkKey(key, "head");
    return this.#told(await super.head(key, options));
  }

  override async has(key: string, options?: CallOptions): Promise<boolean> {
    this.#checkKey(key, "has");
    return await super.has(key, options);
  }

  override async list(options?: ListOptions): Promise<Page> {
    options?.signal?.throwIfAborted();
    checkListOptions(options, this);
    const page = await super.list(options);
    const entries = page.entries.map((entry) => this.#told(entry));
    return { ...page, entries: this.capabilities.list === "ordered" ? entries : entries.toReversed() };
  }

  override async put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    options?.signal?.throwIfAborted();
    this.#checkKey(key, "put");
    checkPutOptions(options, this, "put");
    return this.#told(await super.put(key, value, options));
  }

  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#checkKey(key, "delete");
    checkDeleteOptions(options, this);
    await super.delete(key, options);
  }

  /** A key that it refuses goes below as one that nobody takes, so that the failure has its place among the others. */
  override async batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    checkBatch(operations, options, this);
    const { anyKey } = this.capabilities;
    const sent = operations.map((operation) => (anyKey || plainKey.test(operation.key) ? operation : { ...operation, key: "" }));
    await super.batch(sent, options);
  }

  override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    options?.signal?.throwIfAborted();
    this.#checkKey(key, "read");
    checkReadOptions(options, this);
    if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
    if (options?.ifMatch !== undefined && this.#weakness.etags === false) throw otherVersion("read", this.name, key);
    return this.#told(await super.read(key, options));
  }

  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    checkSource(source, this.name, key);
    try {
      options?.signal?.throwIfAborted();
      this.#checkKey(key, "write");
      checkPutOptions(options, this, "write");
      if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
    return this.#told(await super.write(key, source, options));
  }

  #checkKey(key: string, operation: string): void {
    checkKey(key, operation, this.name);
    if (this.capabilities.anyKey || plainKey.test(key)) return;
    throw new StorageError("invalid-key", "A key may only have plain characters here.", { operation, key, storage: this.name });
  }

  #told<I extends EntryInfo | undefined>(info: I): I {
    if (info === undefined || this.#weakness.etags !== false) return info;
    const { etag: _hidden, ...rest } = info;
    return rest as I;
  }
}

/** What every storage takes, with room for what a layer adds to a key. */
const plainKey = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[a-z0-9/._-]{1,400}$/;
