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
  Operation,
  Page,
  PutOptions,
} from "@stowage/core";
import {
  BaseStorage,
  checkBatch,
  checkClearOptions,
  checkDeleteOptions,
  checkKeys,
  checkListOptions,
  checkPutOptions,
  Lifecycle,
  partial,
  systemClock,
} from "@stowage/core";
import { Entries } from "./entries.ts";
import type { MemoryOptions } from "./memory.ts";
import { pageOf } from "./paging.ts";
import type { Slot } from "./table.ts";
import type { ValueKind } from "./value-kind.ts";

/** What can be done with values of any kind. */
export const abilities: Capabilities = {
  ttl: "native",
  metadata: true,
  conditions: ["create", "replace", "delete"],
  list: "ordered",
  atomicBatch: true,
  anyKey: true,
  streams: "none",
  durability: "memory",
  shared: false,
};

/** A storage in the memory of this process, found by `findLayer(storage, MemoryStorage)`. */
export class MemoryStorage<V> extends BaseStorage<V> {
  readonly name = "memory";
  readonly capabilities: Capabilities = abilities;

  /** By which entries expire, also for the layers above. */
  readonly clock: Clock;
  protected readonly entries: Entries<V>;
  protected readonly lifecycle: Lifecycle;
  readonly #kind: ValueKind<V>;
  readonly #options: MemoryOptions;

  constructor(kind: ValueKind<V>, options: MemoryOptions) {
    super();
    const { clock = systemClock, maxEntries, maxSize } = options;
    this.clock = clock;
    this.#kind = kind;
    this.#options = options;
    this.entries = new Entries(this.name, kind, { clock, maxEntries, maxSize });
    this.lifecycle = new Lifecycle({ name: this.name, clock, release: async () => this.entries.clear() });
  }

  override async get(key: string, options?: CallOptions): Promise<V | undefined> {
    const slot = this.find(key, "get", options);
    return slot === undefined ? undefined : this.#kind.give(slot.value);
  }

  async getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.entries.entryOf(key, this.find(key, "getEntry", options));
  }

  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    this.begin("getEntries", options);
    checkKeys(keys, "getEntries", this.name);
    return keys.map((key) => this.entries.entryOf(key, this.entries.find(key, "getEntries")));
  }

  async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    const slot = this.find(key, "head", options);
    return slot === undefined ? undefined : this.entries.infoOf(key, slot);
  }

  override async has(key: string, options?: CallOptions): Promise<boolean> {
    return this.find(key, "has", options) !== undefined;
  }

  async list(options: ListOptions = {}): Promise<Page> {
    this.begin("list", options);
    checkListOptions(options, this);
    const infoOf = options.info === true ? (key: string) => this.entries.infoOf(key) : (key: string) => ({ key });
    return pageOf((isBefore) => this.entries.keysFrom(isBefore), options, infoOf, this.name);
  }

  async put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    if (options !== undefined && !hasOnlySignal(options)) return this.#putWith(key, value, options);
    this.begin("put", options);
    return this.entries.put(key, value);
  }

  async delete(key: string, options?: DeleteOptions): Promise<void> {
    this.begin("delete", options);
    checkDeleteOptions(options, this);
    this.entries.remove("delete", key, options);
  }

  /** Runs in one go, so that nobody sees a batch half done. */
  override async batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    this.begin("batch", options);
    checkBatch(operations, options, this);
    if (options?.atomic === true) {
      const keys = operations.map(({ key }) => key);
      this.entries.allOrNone(keys, () => operations.forEach((operation) => this.#apply(operation)));
    } else {
      this.#applyEach(operations);
    }
  }

  override async clear(options?: ClearOptions): Promise<void> {
    this.begin("clear", options);
    checkClearOptions(options, this);
    this.entries.clear(options?.prefix);
  }

  override async flush(options?: CallOptions): Promise<void> {
    this.begin("flush", options);
  }

  close(): Promise<void> {
    return this.lifecycle.close();
  }

  override details(): Details {
    const { maxEntries, maxSize, share = false } = this.#options;
    return {
      options: { ...(maxEntries !== undefined && { maxEntries }), ...(maxSize !== undefined && { maxSize }), share },
      stats: { entries: this.entries.count, size: this.entries.size },
    };
  }

  /** What every call begins with. */
  protected begin(operation: string, options: CallOptions | undefined): void {
    options?.signal?.throwIfAborted();
    this.lifecycle.check(operation);
  }

  protected find(key: string, operation: string, options: CallOptions | undefined): Slot<V> | undefined {
    this.begin(operation, options);
    return this.entries.find(key, operation);
  }

  #putWith(key: string, value: V, options: PutOptions): EntryInfo {
    this.begin("put", options);
    checkPutOptions(options, this, "put");
    return this.entries.store("put", key, this.#kind.keep(value, "put", key), options);
  }

  #apply(operation: Operation<V>): void {
    const { type, key, options } = operation;
    if (type === "delete") this.entries.remove("batch", key, options);
    else this.entries.store("batch", key, this.#kind.keep(operation.value, "batch", key), options);
  }

  #applyEach(operations: readonly Operation<V>[]): void {
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
}

/** Whether options say nothing about the entry: layers that limit time hand down a signal and no more. */
function hasOnlySignal(options: PutOptions): boolean {
  if (typeof options !== "object" || options === null) return false; // refused where options are looked at
  const { ttl, expiresAt, metadata, ifMatch, ifNoneMatch } = options;
  return ttl === undefined && expiresAt === undefined && metadata === undefined && ifMatch === undefined && ifNoneMatch === undefined;
}
