import { cancelSource, isRepeatable } from "../contract/sources.ts";
import type {
  BatchOptions,
  ByteSource,
  Bytes,
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
  ReadOptions,
  WriteOptions,
} from "../contract/contract.ts";
import { isConditional, withExpiries, withExpiry } from "../contract/options.ts";
import { StorageError } from "../contract/storage-error.ts";
import { ForwardingStorage } from "./forwarding-storage.ts";
import { rejecting, writing } from "./rejecting.ts";

/** One call on its way down. */
export interface Call {
  readonly operation: OperationName;
  /** The key, for the operations that have one. */
  readonly key: string | undefined;
  readonly options: CallOptions | undefined;
  /**
   * Whether `next` may be called again after a failure: `"always"`; only `"without-effect"`, that is, unless the outcome
   * of the failure is unknown, where the call has a condition; `"never"` where its source can be read only once.
   */
  readonly repeatable: "always" | "without-effect" | "never";
}

/** Sends the call on; with a signal, that one takes the place of the caller's. */
export type Next<T> = (signal?: AbortSignal) => Promise<T>;

/** A stream as `read` hands it out. */
export type StreamEntry = Entry<ReadableStream<Bytes>>;

/**
 * The shape that wraps calls: every operation but `close` and `details` goes through `around`. By the time a call gets
 * there its `ttl` is an `expiresAt`, so that sending it again does not prolong its life.
 */
export abstract class AroundStorage<V> extends ForwardingStorage<V> {
  /** Calls `next` any number of times. Return its promise itself where nothing is added. */
  protected abstract around<T>(call: Call, next: Next<T>): Promise<T>;

  /**
   * The stream of a `read` that succeeded. `again` reads the same key with other options, not through `around`; use it to
   * go on where a stream broke. Returns the entry unchanged unless overridden.
   */
  protected aroundStream(_call: Call, entry: StreamEntry, _again: (options: ReadOptions) => Promise<StreamEntry | undefined>): StreamEntry {
    return entry;
  }

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.#send(reading("get", key, options), (signal) => this.below.get(key, withSignal(options, signal)));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#send(reading("getEntry", key, options), (signal) => this.below.getEntry(key, withSignal(options, signal)));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    return this.#send(reading("getEntries", undefined, options), (signal) => this.below.getEntries(keys, withSignal(options, signal)));
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#send(reading("head", key, options), (signal) => this.below.head(key, withSignal(options, signal)));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#send(reading("has", key, options), (signal) => this.below.has(key, withSignal(options, signal)));
  }

  override list(options?: ListOptions): Promise<Page> {
    return this.#send(reading("list", undefined, options), (signal) => this.below.list(withSignal(options, signal)));
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return options?.ttl === undefined ? this.#put(key, value, options) : this.#putFor(key, value, options);
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    const call: Call = { operation: "delete", key, options, repeatable: repeatableUnder(options) };
    return this.#send(call, (signal) => this.below.delete(key, withSignal(options, signal)));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      const settled = withExpiries(operations, this.clock, this);
      const conditional = settled.some((operation) => isConditional(operation.options));
      const call: Call = { operation: "batch", key: undefined, options, repeatable: conditional ? "without-effect" : "always" };
      return this.#send(call, (signal) => this.below.batch(settled, withSignal(options, signal)));
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#send(reading("clear", undefined, options), (signal) => this.below.clear(withSignal(options, signal)));
  }

  override read(key: string, options: ReadOptions = {}): Promise<StreamEntry | undefined> {
    const call = reading("read", key, options);
    const again = (other: ReadOptions): Promise<StreamEntry | undefined> => this.belowBytes.read(key, other);
    const entry = this.#send(call, (signal) => again(withSignal(options, signal)));
    return entry.then((found) => found && this.aroundStream(call, found, again));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return writing(source, () => {
      const settled = withExpiry(options, this.clock, this, "write");
      const repeatable = isRepeatable(source) ? repeatableUnder(settled) : "never";
      const call: Call = { operation: "write", key, options: settled, repeatable };
      let sent = false;
      let dropped = false;
      const written = this.#send(call, (signal) => {
        if (dropped)
          return Promise.reject(new StorageError("internal", "The write was answered before it was sent.", { operation: "write", key }));
        sent = true;
        return this.belowBytes.write(key, source, withSignal(settled, signal));
      });
      // The source is let go by whoever is below once it was sent there, else here.
      const drop = (reason?: unknown): void => {
        dropped = !sent;
        if (dropped) cancelSource(source, reason);
      };
      written.then(() => drop(), drop);
      return written;
    });
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#send(reading("flush", undefined, options), (signal) => this.below.flush(withSignal(options, signal)));
  }

  #put(key: string, value: V, options: PutOptions | undefined): Promise<EntryInfo> {
    const call: Call = { operation: "put", key, options, repeatable: repeatableUnder(options) };
    return this.#send(call, (signal) => this.below.put(key, value, withSignal(options, signal)));
  }

  #putFor(key: string, value: V, options: PutOptions): Promise<EntryInfo> {
    return rejecting(() => this.#put(key, value, withExpiry(options, this.clock, this, "put")));
  }

  #send<T>(call: Call, next: Next<T>): Promise<T> {
    try {
      return this.around(call, next);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** A call that has the same effect however often it is sent. */
function reading(operation: OperationName, key: string | undefined, options: CallOptions | undefined): Call {
  return { operation, key, options, repeatable: "always" };
}

const repeatableUnder = (options: PutOptions | DeleteOptions | undefined): Call["repeatable"] =>
  isConditional(options) ? "without-effect" : "always";

function withSignal<O extends CallOptions>(options: O, signal: AbortSignal | undefined): O;
function withSignal<O extends CallOptions>(options: O | undefined, signal: AbortSignal | undefined): O | undefined;
function withSignal<O extends CallOptions>(options: O | undefined, signal: AbortSignal | undefined): O | undefined {
  if (signal === undefined) return options;
  if (options === undefined) return { signal } as O;
  if (typeof options !== "object" || options === null) return options; // refused below
  return { ...options, signal };
}
