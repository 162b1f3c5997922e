import type { Clock } from "../contract/clock.ts";
import { clockOf } from "../contract/clock.ts";
import type { Lifecycle } from "../backend/lifecycle.ts";
import { layerLifecycle } from "../backend/lifecycle.ts";
import type {
  AnyStorage,
  BatchOptions,
  Bytes,
  CallOptions,
  Capabilities,
  ClearOptions,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  Storage,
} from "../contract/contract.ts";
import { withExpiries, withExpiry } from "../contract/options.ts";
import { untilAborted } from "../contract/sources.ts";
import { preparedBatch } from "./prepared-batch.ts";

/**
 * The shape of a codec: values above, something else below (bytes unless said otherwise), one for one. What it knows of
 * an entry is what the inner storage knows; `size` is that of the encoded value.
 */
export abstract class MappedStorage<V, I = Bytes> implements Storage<V> {
  abstract readonly name: string;
  readonly inner: readonly AnyStorage[];
  protected readonly below: Storage<I>;
  protected readonly clock: Clock;
  /** A codec may take its time, so `close` waits for calls that are not below yet, or not any more. */
  readonly #lifecycle: Lifecycle;

  /** @param clock for `ttl`; that of the storage below unless told otherwise */
  constructor(below: Storage<I>, clock: Clock = clockOf(below)) {
    this.below = below;
    this.inner = [below];
    this.clock = clock;
    this.#lifecycle = layerLifecycle(this, below, clock);
  }

  /** Throws `invalid-value` where the value has no encoded form. `operation` is for that error. */
  protected abstract encode(value: V, key: string, operation: OperationName): I | Promise<I>;
  /** Throws `corrupt` where nothing encodes to this. `operation` is for that error. */
  protected abstract decode(value: I, key: string, operation: OperationName): V | Promise<V>;

  /** The abilities below; values of this kind do not stream. */
  get capabilities(): Capabilities {
    const { conditions, ...capabilities } = this.below.capabilities;
    return { ...capabilities, conditions: conditions.filter((condition) => condition !== "stream"), streams: "none" };
  }

  get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.#lifecycle.during("get", () => this.#get(key, options));
  }

  async #get(key: string, options: CallOptions | undefined): Promise<V | undefined> {
    const value = await this.below.get(key, options);
    if (value === undefined) return undefined;
    const decoded = this.decode(value, key, "get");
    return decoded instanceof Promise ? untilAborted(decoded, options?.signal) : decoded; // a synchronous codec costs no step more
  }

  getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#lifecycle.during("getEntry", async () => this.#decodeEntry(await this.below.getEntry(key, options), "getEntry", options));
  }

  getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    return this.#lifecycle.during("getEntries", async () => {
      const entries = await this.below.getEntries(keys, options);
      return await Promise.all(entries.map((entry) => this.#decodeEntry(entry, "getEntries", options)));
    });
  }

  head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#lifecycle.during("head", () => this.below.head(key, options));
  }

  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#lifecycle.during("has", () => this.below.has(key, options));
  }

  list(options?: ListOptions): Promise<Page> {
    return this.#lifecycle.during("list", () => this.below.list(options));
  }

  put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return this.#lifecycle.during("put", () => this.#put(key, value, options));
  }

  async #put(key: string, value: V, options: PutOptions | undefined): Promise<EntryInfo> {
    const settled = withExpiry(options, this.clock, this, "put");
    const encoded = this.encode(value, key, "put");
    return this.below.put(key, encoded instanceof Promise ? await untilAborted(encoded, options?.signal) : encoded, settled);
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#lifecycle.during("delete", () => this.below.delete(key, options));
  }

  batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", async () => {
      const settled = withExpiries(operations, this.clock, this);
      const encode = (operation: Operation<V>): Operation<I> | Promise<Operation<I>> => this.#encodeOperation(operation, options);
      await preparedBatch(this.name, settled, options, encode, (encoded) => this.below.batch(encoded, options));
    });
  }

  clear(options?: ClearOptions): Promise<void> {
    return this.#lifecycle.during("clear", () => this.below.clear(options));
  }

  flush(options?: CallOptions): Promise<void> {
    return this.#lifecycle.during("flush", () => this.below.flush(options));
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  details(): Details {
    return { options: {}, stats: {} };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #encodeOperation(operation: Operation<V>, options: BatchOptions | undefined): Operation<I> | Promise<Operation<I>> {
    if (operation.type !== "put") return operation;
    const encoded = this.encode(operation.value, operation.key, "batch");
    if (!(encoded instanceof Promise)) return { ...operation, value: encoded };
    return untilAborted(encoded, options?.signal).then((value) => ({ ...operation, value }));
  }

  async #decodeEntry(
    entry: Entry<I> | undefined,
    operation: OperationName,
    options: CallOptions | undefined,
  ): Promise<Entry<V> | undefined> {
    if (entry === undefined) return undefined;
    const decoded = this.decode(entry.value, entry.key, operation);
    return { ...entry, value: decoded instanceof Promise ? await untilAborted(decoded, options?.signal) : decoded };
  }
}
