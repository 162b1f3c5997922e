import type { Clock } from "../contract/clock.ts";
import { clockOf } from "../contract/clock.ts";
import type {
  AnyStorage,
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
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
  ReadOptions,
  Storage,
  WriteOptions,
} from "../contract/contract.ts";
import { withExpiries, withExpiry } from "../contract/options.ts";
import { isByteStorage } from "../functions/is-byte-storage.ts";
import { rejecting, writing } from "./rejecting.ts";

/**
 * The shape that keeps state or chooses: every operation goes to the inner storage, whose promise is returned itself,
 * until a layer overrides it. `ttl` is turned into `expiresAt`, the only option that is touched.
 *
 * Over bytes it is a `ByteStorage`; over other values `read` and `write` are absent, as `isByteStorage` tells.
 */
export abstract class ForwardingStorage<V> implements Storage<V> {
  abstract readonly name: string;
  readonly inner: readonly AnyStorage[];
  protected readonly below: Storage<V>;
  protected readonly clock: Clock;
  /**
   * The nearest storage below whose `get` does something of its own. Asking it at once saves what each layer between
   * would cost, which is 13 ns where the classes differ.
   */
  readonly #getter: Storage<V>;

  /** @param clock for `ttl`; that of the storage below unless told otherwise */
  constructor(below: Storage<V>, clock: Clock = clockOf(below)) {
    this.below = below;
    this.inner = [below];
    this.clock = clock;
    this.#getter = below instanceof ForwardingStorage && below.get === ForwardingStorage.prototype.get ? below.#getter : below;
    if (!isByteStorage(below)) {
      this.read = undefined as never;
      this.write = undefined as never;
    }
  }

  get capabilities(): Capabilities {
    return this.below.capabilities;
  }

  get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.#getter.get(key, options);
  }

  getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.below.getEntry(key, options);
  }

  getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    return this.below.getEntries(keys, options);
  }

  head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.below.head(key, options);
  }

  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.below.has(key, options);
  }

  list(options?: ListOptions): Promise<Page> {
    return this.below.list(options);
  }

  put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return options?.ttl === undefined ? this.below.put(key, value, options) : this.#putFor(key, value, options);
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.below.delete(key, options);
  }

  batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => this.below.batch(withExpiries(operations, this.clock, this), options));
  }

  clear(options?: ClearOptions): Promise<void> {
    return this.below.clear(options);
  }

  read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.belowBytes.read(key, options);
  }

  write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return options?.ttl === undefined ? this.belowBytes.write(key, source, options) : this.#writeFor(key, source, options);
  }

  flush(options?: CallOptions): Promise<void> {
    return this.below.flush(options);
  }

  close(): Promise<void> {
    return this.below.close();
  }

  details(): Details {
    return { options: {}, stats: {} };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The inner storage where it is known to hold bytes: inside `read` and `write`. */
  protected get belowBytes(): ByteStorage {
    return this.below as unknown as ByteStorage;
  }

  // Apart from put and write, because a closure in a method costs each of its calls, also those that do not get to it.

  #putFor(key: string, value: V, options: PutOptions): Promise<EntryInfo> {
    return rejecting(() => this.below.put(key, value, withExpiry(options, this.clock, this, "put")));
  }

  #writeFor(key: string, source: ByteSource, options: WriteOptions): Promise<EntryInfo> {
    return writing(source, () => this.belowBytes.write(key, source, withExpiry(options, this.clock, this, "write")));
  }
}
