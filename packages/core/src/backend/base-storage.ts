import type {
  AnyStorage,
  BatchOptions,
  CallOptions,
  Capabilities,
  ClearOptions,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  Storage,
} from "../contract/contract.ts";
import { checkKeys } from "../contract/keys.ts";
import { checkBatch } from "../contract/options.ts";
import type { Failure } from "../contract/storage-error.ts";
import { StorageError } from "../contract/storage-error.ts";
import { clearByList } from "./clear-by-list.ts";
import { concurrency, forEachConcurrently } from "../functions/concurrently.ts";
import { partial } from "./partial.ts";

/**
 * What a backend extends: it writes `getEntry`, `head`, `list`, `put`, `delete` and `close`, and has the rest derived.
 * Override what the store does better natively.
 */
export abstract class BaseStorage<V> implements Storage<V> {
  abstract readonly name: string;
  abstract readonly capabilities: Capabilities;
  readonly inner: readonly AnyStorage[] = [];

  abstract getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined>;
  abstract head(key: string, options?: CallOptions): Promise<EntryInfo | undefined>;
  abstract list(options?: ListOptions): Promise<Page>;
  abstract put(key: string, value: V, options?: PutOptions): Promise<EntryInfo>;
  abstract delete(key: string, options?: DeleteOptions): Promise<void>;
  abstract close(): Promise<void>;

  get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.getEntry(key, options).then(valueOf);
  }

  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.head(key, options).then(isPresent);
  }

  async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    options?.signal?.throwIfAborted();
    checkKeys(keys, "getEntries", this.name);
    const entries: (Entry<V> | undefined)[] = Array.from({ length: keys.length });
    await forEachConcurrently(keys, concurrency, async (key, index) => {
      entries[index] = await this.step(() => this.getEntry(key, options));
    });
    return entries;
  }

  /** Operations on different keys run at once, those on one key in their order. A backend that can do atomic ones overrides it. */
  async batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    checkBatch(operations, options, this);
    if (options?.atomic === true)
      throw new StorageError("internal", "A backend with atomic batches must override batch.", { storage: this.name });
    const byKey = Map.groupBy(operations.entries(), ([, operation]) => operation.key);
    const failures: Failure[] = [];
    await forEachConcurrently(byKey.values(), concurrency, async (steps) => {
      for (const [index, operation] of steps) {
        try {
          await this.#apply(operation, options);
        } catch (error) {
          options?.signal?.throwIfAborted();
          failures.push({ index, key: operation.key, error });
        }
      }
    });
    if (failures.length > 0) throw partial("batch", this.name, failures, operations.length);
  }

  clear(options?: ClearOptions): Promise<void> {
    const { name, capabilities } = this;
    const list = (wanted?: ListOptions): Promise<Page> => this.step(() => this.list(wanted));
    const remove = (key: string, wanted?: DeleteOptions): Promise<void> => this.step(() => this.delete(key, wanted));
    return clearByList({ name, capabilities, list, delete: remove }, options);
  }

  async flush(options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
  }

  details(): Details {
    return { options: {}, stats: {} };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Begins a call as a step of `getEntries`, `batch`, `clear` or `write`. A backend that counts those overrides it with that of its `Lifecycle`. */
  protected step<T>(begin: () => T): T {
    return begin();
  }

  async #apply(operation: Operation<V>, options: BatchOptions | undefined): Promise<void> {
    const signal = options?.signal;
    const { key, options: own } = operation;
    if (operation.type === "put") await this.step(() => this.put(key, operation.value, { ...own, signal }));
    else await this.step(() => this.delete(key, { ...own, signal }));
  }
}

const valueOf = <V>(entry: Entry<V> | undefined): V | undefined => entry?.value;
const isPresent = (info: EntryInfo | undefined): boolean => info !== undefined;
