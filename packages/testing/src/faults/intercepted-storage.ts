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
} from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";

/** What can be scripted and logged: every call but `details`. */
export type CallName = OperationName | "close";

/** One call on its way to the storage below. */
export interface Invocation<T = unknown> {
  readonly operation: CallName;
  /** The key, for the operations that have one. */
  readonly key: string | undefined;
  /** Every key that the call names: one, or those of a `getEntries` or a `batch`. */
  readonly keys: readonly string[];
  /** The value of a `put`, the source of a `write`, the operations of a `batch`. */
  readonly input: unknown;
  readonly options: CallOptions | undefined;
  /** Sends the call on, with another source or limit where one is given. */
  perform(changes?: Changes): Promise<T>;
}

/** What can be changed about a call on its way. */
export interface Changes {
  /** In place of the source of a `write`. */
  readonly source?: ByteSource;
  /** In place of the limit of a `list`. */
  readonly limit?: number;
}

/** The stream of a `read`, with what is known about the value. */
export type StreamEntry = Entry<ReadableStream<Bytes>>;

/** A storage through whose `intercept` every call goes, `close` included. */
export abstract class InterceptedStorage<V> extends ForwardingStorage<V> {
  protected abstract intercept<T>(call: Invocation<T>): Promise<T>;

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.intercept(invocation("get", key, options, () => super.get(key, options)));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.intercept(invocation("getEntry", key, options, () => super.getEntry(key, options)));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    const call = invocation("getEntries", undefined, options, () => super.getEntries(keys, options));
    return this.intercept({ ...call, keys: Array.isArray(keys) ? keys : [] });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.intercept(invocation("head", key, options, () => super.head(key, options)));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.intercept(invocation("has", key, options, () => super.has(key, options)));
  }

  override list(options?: ListOptions): Promise<Page> {
    return this.intercept(
      invocation("list", undefined, options, (changes) => {
        if (changes?.limit === undefined) return super.list(options);
        return super.list({ ...options, limit: Math.min(options?.limit ?? changes.limit, changes.limit) });
      }),
    );
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return this.intercept({ ...invocation("put", key, options, () => super.put(key, value, options)), input: value });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.intercept(invocation("delete", key, options, () => super.delete(key, options)));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    const call = invocation("batch", undefined, options, () => super.batch(operations, options));
    const keys = Array.isArray(operations) ? operations.flatMap((operation: Operation<V> | null | undefined) => operation?.key ?? []) : [];
    return this.intercept({ ...call, keys, input: operations });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.intercept(invocation("clear", undefined, options, () => super.clear(options)));
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.intercept(invocation("flush", undefined, options, () => super.flush(options)));
  }

  override read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    return this.intercept(invocation("read", key, options, () => super.read(key, options)));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const call = invocation("write", key, options, (changes) => super.write(key, changes?.source ?? source, options));
    return this.intercept({ ...call, input: source });
  }

  override close(): Promise<void> {
    return this.intercept(invocation("close", undefined, undefined, () => super.close()));
  }
}

function invocation<T>(
  operation: CallName,
  key: string | undefined,
  options: CallOptions | undefined,
  perform: (changes?: Changes) => Promise<T>,
): Invocation<T> {
  return { operation, key, keys: key === undefined ? [] : [key], input: undefined, options, perform };
}
