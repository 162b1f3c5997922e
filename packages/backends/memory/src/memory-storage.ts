import type {
  BatchOptions,
  CallOptions,
  Capabilities,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Failure,
  ListOptions,
  Metadata,
  Operation,
  Page,
  PutOptions,
} from "@stowage/core";
import {
  BaseStorage,
  checkBatch,
  checkDeleteOptions,
  checkKey,
  checkListOptions,
  checkPutOptions,
  compareKeys,
  Lifecycle,
  otherVersion,
  partial,
  StorageError,
  systemClock,
  withExpiry,
} from "@stowage/core";
import { Etags } from "./etags.ts";
import { pageOf } from "./paging.ts";
import type { Slot } from "./table.ts";
import { Table } from "./table.ts";

/** What a memory storage has to know about its values. */
export interface ValueKind<V> {
  /** A value as it is kept, of its own or shared; throws for what is not a value. */
  keep(value: V, operation: string, key: string): V;
  /** A kept value as it is handed out. */
  give(value: V): V;
  /** Its bytes; `undefined` where that is not known. */
  sizeOf(value: V): number | undefined;
}

export interface MemoryLimits {
  readonly maxSize?: number | undefined;
  readonly maxEntries?: number | undefined;
  readonly share?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

/** Expired entries that a put removes on its way: more than one, so that they cannot pile up. */
const sweepPerPut = 2;

/** A storage in the memory of this process, found by `findLayer(storage, MemoryStorage)`. */
export class MemoryStorage<V> extends BaseStorage<V> {
  readonly name = "memory";
  readonly capabilities: Capabilities = {
    ttl: "native",
    metadata: true,
    conditions: ["create", "replace", "delete", "stream"],
    list: "ordered",
    atomicBatch: true,
    anyKey: true,
    streams: "buffered",
    durability: "memory",
    shared: false,
  };

  protected readonly lifecycle: Lifecycle;
  readonly #limits: MemoryLimits;
  readonly #maxEntries: number;
  readonly #maxSize: number;
  readonly #clock: Clock;
  readonly #kind: ValueKind<V>;
  readonly #table = new Table<V>();
  readonly #etags = new Etags();

  constructor(kind: ValueKind<V>, limits: MemoryLimits = {}) {
    super();
    checkLimit("maxEntries", limits.maxEntries);
    checkLimit("maxSize", limits.maxSize);
    const { clock = systemClock, maxEntries = Number.POSITIVE_INFINITY, maxSize = Number.POSITIVE_INFINITY } = limits;
    this.#kind = kind;
    this.#limits = limits;
    this.#clock = clock;
    this.#maxEntries = maxEntries;
    this.#maxSize = maxSize;
    this.lifecycle = new Lifecycle({ name: this.name, clock, release: async () => this.#table.clear() });
  }

  override async get(key: string, options?: CallOptions): Promise<V | undefined> {
    const slot = this.find(key, "get", options);
    return slot === undefined ? undefined : this.#kind.give(slot.value);
  }

  async getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#entryOf(key, this.find(key, "getEntry", options));
  }

  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    this.begin("getEntries", options);
    return keys.map((key) => this.#entryOf(key, this.find(key, "getEntries", undefined)));
  }

  async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    const slot = this.find(key, "head", options);
    return slot === undefined ? undefined : this.infoOf(key, slot);
  }

  override async has(key: string, options?: CallOptions): Promise<boolean> {
    return this.find(key, "has", options) !== undefined;
  }

  async list(options: ListOptions = {}): Promise<Page> {
    this.begin("list", options);
    checkListOptions(options, this);
    this.#table.expire(this.#clock.now());
    const infoOf = options.info === true ? (key: string) => this.infoOf(key, this.#table.get(key)!) : (key: string) => ({ key });
    return pageOf((isBefore) => this.#table.from(isBefore), options, infoOf, this.name);
  }

  async put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    this.begin("put", options);
    checkPutOptions(options, this, "put");
    return this.store("put", key, this.#kind.keep(value, "put", key), options);
  }

  async delete(key: string, options?: DeleteOptions): Promise<void> {
    this.begin("delete", options);
    checkDeleteOptions(options, this);
    this.#remove("delete", key, options);
  }

  /** Runs in one go, so that nobody sees a batch half done. */
  override async batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    this.begin("batch", options);
    checkBatch(operations, options, this);
    if (options?.atomic === true) return this.#applyAll(operations);
    const failures: Failure[] = [];
    for (const [index, operation] of operations.entries()) {
      try {
        this.#apply(operation);
      } catch (error) {
        failures.push({ index, key: operation.key, error });
      }
    }
    if (failures.length > 0) throw partial("batch", this.name, failures, operations.length);
  }

  override async clear(options?: ClearOptions): Promise<void> {
    this.begin("clear", options);
    const prefix = options?.prefix;
    if (prefix === undefined || prefix === "") return this.#table.clear();
    const keys: string[] = [];
    for (const key of this.#table.from((other) => compareKeys(other, prefix) < 0)) {
      if (!key.startsWith(prefix)) break;
      keys.push(key);
    }
    for (const key of keys) this.#table.delete(key);
  }

  override async flush(options?: CallOptions): Promise<void> {
    this.begin("flush", options);
  }

  close(): Promise<void> {
    return this.lifecycle.close();
  }

  override details(): Details {
    const { maxEntries, maxSize, share = false } = this.#limits;
    return {
      options: { ...(maxEntries !== undefined && { maxEntries }), ...(maxSize !== undefined && { maxSize }), share },
      stats: { entries: this.#table.count, size: this.#table.size },
    };
  }

  /** Room that is left for one value in the place of what `key` holds now. */
  protected roomFor(key: string): number {
    this.#table.expire(this.#clock.now());
    return this.#maxSize - this.#table.size + (this.#table.get(key)?.size ?? 0);
  }

  /** What every call begins with. */
  protected begin(operation: string, options: CallOptions | undefined): void {
    options?.signal?.throwIfAborted();
    this.lifecycle.check(operation);
  }

  /** The live slot of a key. A key that is there needs no check: it passed one when it was stored. */
  protected find(key: string, operation: string, options: CallOptions | undefined): Slot<V> | undefined {
    this.begin(operation, options);
    const slot = this.#live(key);
    if (slot === undefined) checkKey(key, operation, this.name);
    return slot;
  }

  /** Refuses a put whose condition does not hold. */
  protected checkConditions(operation: string, key: string, options: PutOptions | undefined): void {
    this.#checkConditions(operation, key, this.#live(key), options);
  }

  /** Stores a value that is already kept as it shall be. Options are checked. */
  protected store(operation: "put" | "write" | "batch", key: string, value: V, options: PutOptions | undefined): EntryInfo {
    const now = this.#clock.now();
    this.#table.expire(now, sweepPerPut);
    const previous = this.#live(key);
    if (previous === undefined) checkKey(key, operation, this.name);
    const size = this.#kind.sizeOf(value) ?? 0;
    if (options === undefined)
      return this.#keep(operation, key, previous, {
        value,
        size,
        etag: this.#etags.next(),
        modifiedAt: now,
        expiresAt: undefined,
        metadata: undefined,
      });
    this.#checkConditions(operation, key, previous, options);
    const { expiresAt, metadata } = withExpiry(options, this.#clock);
    const slot: Slot<V> = { value, size, etag: this.#etags.next(), modifiedAt: now, expiresAt, metadata: copyMetadata(metadata) };
    if (expiresAt === undefined || expiresAt > now) return this.#keep(operation, key, previous, slot);
    this.#table.delete(key);
    return this.infoOf(key, slot);
  }

  protected infoOf(key: string, slot: Slot<V>): EntryInfo {
    const { etag, modifiedAt, expiresAt, metadata } = slot;
    const size = this.#kind.sizeOf(slot.value);
    if (expiresAt === undefined && metadata === undefined && size !== undefined) return { key, size, etag, modifiedAt };
    return {
      key,
      ...(size !== undefined && { size }),
      etag,
      modifiedAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(metadata !== undefined && { metadata }),
    };
  }

  #keep(operation: string, key: string, previous: Slot<V> | undefined, slot: Slot<V>): EntryInfo {
    this.#makeRoom(operation, key, previous, slot.size);
    this.#table.replace(key, previous, slot);
    return this.infoOf(key, slot);
  }

  #makeRoom(operation: string, key: string, previous: Slot<V> | undefined, size: number): void {
    if (this.#hasRoom(previous, size)) return;
    this.#table.expire(this.#clock.now());
    if (this.#hasRoom(previous, size)) return;
    throw full(operation, this.name, key);
  }

  #hasRoom(previous: Slot<V> | undefined, size: number): boolean {
    if (previous === undefined && this.#table.count >= this.#maxEntries) return false;
    return this.#table.size - (previous?.size ?? 0) + size <= this.#maxSize;
  }

  #remove(operation: string, key: string, options: Omit<DeleteOptions, "signal"> | undefined): void {
    const slot = this.#live(key);
    if (slot === undefined) checkKey(key, operation, this.name);
    if (options?.ifMatch !== undefined && slot?.etag !== options.ifMatch) throw otherVersion(operation, this.name, key);
    this.#table.delete(key);
  }

  #apply(operation: Operation<V>): void {
    const { key } = operation;
    if (operation.type === "delete") this.#remove("batch", key, operation.options);
    else this.store("batch", key, this.#kind.keep(operation.value, "batch", key), operation.options);
  }

  #applyAll(operations: readonly Operation<V>[]): void {
    const earlier = new Map<string, Slot<V> | undefined>();
    try {
      for (const operation of operations) {
        const { key } = operation;
        if (!earlier.has(key)) earlier.set(key, this.#live(key));
        this.#apply(operation);
      }
    } catch (error) {
      for (const [key, slot] of earlier) {
        if (slot === undefined) this.#table.delete(key);
        else this.#table.replace(key, this.#table.get(key), slot);
      }
      throw error;
    }
  }

  #checkConditions(operation: string, key: string, slot: Slot<V> | undefined, options: PutOptions | undefined): void {
    if (options?.ifMatch !== undefined && slot?.etag !== options.ifMatch) throw otherVersion(operation, this.name, key);
    if (options?.ifNoneMatch !== undefined && slot !== undefined) {
      throw new StorageError("precondition-failed", "There is an entry already.", { operation, storage: this.name, key });
    }
  }

  #entryOf(key: string, slot: Slot<V> | undefined): Entry<V> | undefined {
    return slot === undefined ? undefined : { ...this.infoOf(key, slot), value: this.#kind.give(slot.value) };
  }

  #live(key: string): Slot<V> | undefined {
    const slot = this.#table.get(key);
    if (slot?.expiresAt === undefined || slot.expiresAt > this.#clock.now()) return slot;
    this.#table.delete(key);
    return undefined;
  }
}

/** No room is left under a limit. */
export function full(operation: string, storage: string, key: string): StorageError {
  return new StorageError("full", "No room is left under maxEntries or maxSize; what was there is unchanged.", { operation, storage, key });
}

function copyMetadata(metadata: Metadata | undefined): Metadata | undefined {
  return metadata === undefined ? undefined : Object.freeze({ ...metadata });
}

function checkLimit(name: string, limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1)) return;
  throw new StorageError("invalid-option", `${name} must be a whole number of at least 1.`);
}
