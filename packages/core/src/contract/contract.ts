/** Plain bytes that own their memory: never a `Buffer`, never a view of shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Where a streamed value comes from. A `Blob` or a function can be read again; a stream or an iterable only once. */
export type ByteSource = ReadableStream<Bytes> | AsyncIterable<Bytes> | Blob | (() => ReadableStream<Bytes> | AsyncIterable<Bytes>);

/** Text beside a value, under lower-case ASCII names. `content-type` is an ordinary name here. */
export type Metadata = Readonly<Record<string, string>>;

/** A storage of any value type. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyStorage = Storage<any>;

/**
 * The contract that every backend and every layer keeps.
 *
 * A call never throws, it rejects: with a `StorageError`, or with the reason of its signal as it is.
 * A missing entry is `undefined`; every other failure rejects.
 */
export interface Storage<in out V> extends AsyncDisposable {
  /** What kind of storage this is: `"file"`, `"cached"`. */
  readonly name: string;
  /** What it stands on; empty for a backend. */
  readonly inner: readonly AnyStorage[];
  /** What the whole stack from here down can do. What it does not name is rejected with `unsupported`. */
  readonly capabilities: Capabilities;

  /** The value under `key`, which then belongs to the caller, or `undefined` where nothing is. */
  get(key: string, options?: CallOptions): Promise<V | undefined>;
  /** The value with what is known about it. */
  getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined>;
  /** An answer for each key, in their order; all or a rejection. */
  getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]>;
  /** What is known about an entry, without its value. */
  head(key: string, options?: CallOptions): Promise<EntryInfo | undefined>;
  has(key: string, options?: CallOptions): Promise<boolean>;
  /** One page of entries. A page may be empty and still have a cursor. */
  list(options?: ListOptions): Promise<Page>;

  /** Replaces value, metadata and expiry, all or nothing. */
  put(key: string, value: V, options?: PutOptions): Promise<EntryInfo>;
  /** Removes an entry. What is not there is removed successfully, unless `ifMatch` asks for a version. */
  delete(key: string, options?: DeleteOptions): Promise<void>;
  /** Tries every operation, in order for each key, and rejects with `partial` and `failures`; with `atomic`, all or none. */
  batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void>;
  /** Removes every entry, or those under a prefix. */
  clear(options?: ClearOptions): Promise<void>;

  /** Returns when all that was accepted is where `capabilities.durability` says. */
  flush(options?: CallOptions): Promise<void>;
  /** Refuses new calls, waits for running ones, flushes, closes what is below. Calling it again is harmless. */
  close(): Promise<void>;
  /** Options with secrets redacted, and counters, for `explain()` and dashboards. Of this storage alone, not of what it stands on. */
  details(): Details;
}

/** A storage of bytes, which can also stream them. */
export interface ByteStorage extends Storage<Bytes> {
  /** Takes any `Uint8Array`, a `Buffer` too, and copies it where it keeps it. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo>;
  /**
   * A value, or a part of it, as a stream. `size` and `etag` are those of the whole value.
   * A stream that is not read to its end must be cancelled.
   */
  read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined>;
  /** Stores what a source gives, all or nothing. Owns the source from the call on and cancels it however it fails. */
  write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo>;
}

export interface EntryInfo {
  readonly key: string;
  /** Bytes of the whole value as this storage presents it; absent where knowing it would cost a read. */
  readonly size?: number;
  /** Opaque. Two writes of different bytes never share one; absent if that cannot be promised. */
  readonly etag?: string;
  /** Milliseconds since the epoch. */
  readonly modifiedAt?: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly metadata?: Metadata;
}

export interface Entry<out V> extends EntryInfo {
  readonly value: V;
}

export interface CallOptions {
  /** Ends the call promptly with the signal's reason as it is, and covers a stream until its end. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReadOptions extends CallOptions {
  /** First byte, as in `Blob.slice`: negative counts from the end. @default 0 */
  readonly start?: number | undefined;
  /** First byte after the part, as in `Blob.slice`. @default the size of the value */
  readonly end?: number | undefined;
  /** Bytes of that version, or `precondition-failed`. */
  readonly ifMatch?: string | undefined;
}

export interface PutOptions extends CallOptions {
  /** Life from now in milliseconds; a finite positive number. Not together with `expiresAt`. */
  readonly ttl?: number | undefined;
  /** Milliseconds since the epoch; a finite positive number. In the past: the put is a delete. */
  readonly expiresAt?: number | undefined;
  readonly metadata?: Metadata | undefined;
  /** Only over this etag, else `precondition-failed`. */
  readonly ifMatch?: string | undefined;
  /** Only where nothing is, else `precondition-failed`. */
  readonly ifNoneMatch?: "*" | undefined;
}

export interface WriteOptions extends PutOptions {
  /** Bytes that the source will give. Another number of bytes is `invalid-value`, and nothing is stored. */
  readonly size?: number | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Only this version; a missing key is `precondition-failed` then. */
  readonly ifMatch?: string | undefined;
}

export interface ClearOptions extends CallOptions {
  readonly prefix?: string | undefined;
}

export interface ListOptions extends CallOptions {
  readonly prefix?: string | undefined;
  /** Keys that hold it after the prefix are rolled up into `prefixes`. Ordered lists only. */
  readonly delimiter?: string | undefined;
  /** Only what sorts after this key. Ordered lists only. */
  readonly startAfter?: string | undefined;
  /** Where the last page ended; with the same prefix and delimiter as that page, without `startAfter`. */
  readonly cursor?: string | undefined;
  /** Entries and prefixes on this page at the most, 1 or more. @default 1000 */
  readonly limit?: number | undefined;
  /** Also size, times, etag and metadata where known. @default false */
  readonly info?: boolean | undefined;
}

export interface Page {
  readonly entries: readonly EntryInfo[];
  readonly prefixes: readonly string[];
  /** Present while there may be more. */
  readonly cursor?: string;
}

export interface PutOperation<V> {
  readonly type: "put";
  readonly key: string;
  readonly value: V;
  readonly options?: Omit<PutOptions, "signal"> | undefined;
}

export interface DeleteOperation {
  readonly type: "delete";
  readonly key: string;
  readonly options?: Omit<DeleteOptions, "signal"> | undefined;
}

/** One step of a batch. */
export type Operation<V> = PutOperation<V> | DeleteOperation;

export interface BatchOptions extends CallOptions {
  /** All or none; conditions inside a batch need it. @default false */
  readonly atomic?: boolean | undefined;
}

/** A condition that the store itself decides: `create` is `ifNoneMatch`, `replace` is `ifMatch` on put, `delete` is `ifMatch` there, `stream` is both on `write`. */
export type Condition = "create" | "replace" | "delete" | "stream";

/** What a stack can do. Honest by test: what is absent rejects with `unsupported` before any I/O. */
export interface Capabilities {
  /** `lazy`: a list without `info` may name expired keys until they are swept. */
  readonly ttl: "native" | "lazy" | false;
  readonly metadata: boolean;
  readonly conditions: readonly Condition[];
  /** `ordered`: by UTF-8 bytes. */
  readonly list: "ordered" | "unordered" | "none";
  readonly atomicBatch: boolean;
  /** Every legal key can be stored; else only those of `[a-z0-9/._-]` up to 200 bytes without empty, `.` or `..` segments are sure. */
  readonly anyKey: boolean;
  /** `native`: a few chunks in memory. `buffered`: whole values in memory. */
  readonly streams: "native" | "buffered" | "none";
  /** What an acknowledged write survives: nothing, the end of the process, loss of power. */
  readonly durability: "memory" | "process" | "power";
  /** Other processes see it. */
  readonly shared: boolean;
}

export interface Details {
  readonly options: Readonly<Record<string, unknown>>;
  readonly stats: Readonly<Record<string, number>>;
}

/** The name of an operation of the contract that reaches the data. */
export type OperationName =
  | "get"
  | "getEntry"
  | "getEntries"
  | "head"
  | "has"
  | "list"
  | "put"
  | "delete"
  | "batch"
  | "clear"
  | "flush"
  | "read"
  | "write";
