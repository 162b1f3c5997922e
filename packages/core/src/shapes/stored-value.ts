import { concatBytes } from "../contract/bytes.ts";
import type { Bytes, ByteStorage, Entry, EntryInfo } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";

/** The stored bytes of one entry, as a layer over bytes sees them while it reads: all of one version. */
export interface StoredValue {
  readonly key: string;
  /** What is known below: `size` is the stored size. */
  readonly info: EntryInfo;
  /**
   * Whether every call sees the same version, wherever in the value it reads. False over a storage without etags: then
   * the value is read in one pass, and `bytes` of what does not follow the front takes all of it into memory.
   */
  readonly pinned: boolean;
  /**
   * A part of the stored bytes, as in `Blob.slice`; at once where it is in memory. It is a view: do not change it or hand
   * it out. One call at a time.
   */
  bytes(start?: number, end?: number): Bytes | Promise<Bytes>;
  /** The stored bytes from `start` up to `end`, in one inner read. The chunks are views: do not change them. */
  stream(start?: number, end?: number): AsyncIterable<Bytes>;
}

type InnerReader = ReadableStreamDefaultReader<Bytes>;

/** A `StoredValue` over an inner storage. Keeps the front of the value, and the stream that goes on behind it. */
export class InnerValue implements StoredValue {
  readonly key: string;
  /** Whether a later read met another version. */
  moved = false;
  readonly #below: ByteStorage;
  readonly #signal: AbortSignal | undefined;
  readonly #open = new Set<InnerReader>();
  #info: EntryInfo;
  readonly #etag: string | undefined;
  #front: Bytes = empty;
  #whole = false;
  #rest: InnerReader | undefined;
  #touched = false;

  constructor(below: ByteStorage, info: EntryInfo, signal?: AbortSignal) {
    this.key = info.key;
    this.#below = below;
    this.#info = info;
    this.#etag = info.etag;
    this.#signal = signal;
  }

  /** A value all of which is in memory. */
  static of(below: ByteStorage, { value, ...info }: Entry<Bytes>): InnerValue {
    const whole = new InnerValue(below, { ...info, size: value.byteLength });
    whole.#front = value;
    whole.#whole = true;
    whole.#touched = true;
    return whole;
  }

  /** A value that begins with a stream of all of it. */
  static reading(below: ByteStorage, { value, ...info }: Entry<ReadableStream<Bytes>>, signal?: AbortSignal): InnerValue {
    const reading = new InnerValue(below, info, signal);
    reading.#rest = reading.#track(value.getReader());
    return reading;
  }

  /** A value whose first `size` bytes were asked for and are now in memory. */
  static async front(below: ByteStorage, entry: Entry<ReadableStream<Bytes>>, size: number, signal?: AbortSignal): Promise<InnerValue> {
    const value = InnerValue.reading(below, entry, signal);
    await value.#extend(0, Number.POSITIVE_INFINITY);
    value.#whole = value.#front.byteLength < size || value.#info.size === size;
    return value;
  }

  get info(): EntryInfo {
    return this.#info;
  }

  get pinned(): boolean {
    return this.#whole || this.#etag !== undefined;
  }

  bytes(start = 0, end: number = Number.POSITIVE_INFINITY): Bytes | Promise<Bytes> {
    if (this.#whole || (start >= 0 && end >= 0 && end <= this.#front.byteLength)) return this.#front.subarray(start, end);
    if (this.#rest !== undefined && start >= 0 && start <= this.#front.byteLength && end >= start) return this.#extend(start, end);
    return this.pinned && (start !== 0 || end !== Number.POSITIVE_INFINITY)
      ? this.#fetch(start, end)
      : this.load().then(() => this.#front.subarray(start, end));
  }

  async *stream(start = 0, end: number = Number.POSITIVE_INFINITY): AsyncGenerator<Bytes, void, void> {
    let position = 0;
    let reader = this.#rest;
    if (this.#whole || (reader !== undefined && (start <= this.#front.byteLength || !this.pinned))) {
      this.#rest = undefined;
      const ready = this.#front.subarray(start, end);
      if (ready.byteLength > 0) yield ready;
      position = this.#front.byteLength;
    } else {
      reader = await this.#read(start, end);
      position = start;
    }
    if (reader === undefined) return;
    try {
      while (position < end) {
        const { done, value } = await reader.read();
        if (done) return;
        const wanted = value.subarray(Math.max(start - position, 0), end - position);
        position += value.byteLength;
        if (wanted.byteLength > 0) yield wanted;
      }
    } finally {
      this.#cancel(reader);
    }
  }

  /** Takes all of the value into memory. */
  async load(): Promise<void> {
    if (this.#whole) return;
    if (this.#rest === undefined) this.#front = await this.#fetch(0, Number.POSITIVE_INFINITY);
    else await this.#extend(0, Number.POSITIVE_INFINITY);
    this.#whole = true;
    this.#info = { ...this.#info, size: this.#front.byteLength };
  }

  /** Makes sure that the version is still there, where nothing was read yet. */
  async touch(): Promise<void> {
    if (this.#touched) return;
    await this.#fetch(0, 0);
  }

  /** Cancels whatever is still being read. */
  close(reason?: unknown): void {
    this.#rest = undefined;
    for (const reader of this.#open) this.#cancel(reader, reason);
  }

  /** Reads on behind the front until `end`. */
  async #extend(start: number, end: number): Promise<Bytes> {
    const reader = this.#rest as InnerReader;
    const chunks: Bytes[] = this.#front.byteLength === 0 ? [] : [this.#front];
    let size = this.#front.byteLength;
    while (size < end) {
      const { done, value } = await reader.read();
      if (done) {
        this.#whole = true;
        this.#rest = undefined;
        this.#open.delete(reader);
        break;
      }
      chunks.push(value);
      size += value.byteLength;
    }
    this.#front = concatBytes(chunks);
    return this.#front.subarray(start, end);
  }

  async #fetch(start: number, end: number): Promise<Bytes> {
    const reader = await this.#read(start, end);
    const chunks: Bytes[] = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
    }
    this.#open.delete(reader);
    return concatBytes(chunks);
  }

  /** A further inner read, of the pinned version alone. */
  async #read(start: number, end: number): Promise<InnerReader> {
    const ifMatch = this.#etag;
    const part = end === Number.POSITIVE_INFINITY ? { start } : { start, end };
    let entry: Entry<ReadableStream<Bytes>> | undefined;
    try {
      entry = await this.#below.read(this.key, { ...part, ifMatch, signal: this.#signal });
    } catch (error) {
      if (ifMatch === undefined || !StorageError.is(error, "precondition-failed")) throw error;
      throw this.#changed(error);
    }
    if (entry === undefined) throw this.#changed();
    const { value, ...info } = entry;
    this.#info = info;
    return this.#track(value.getReader());
  }

  #changed(cause?: unknown): StorageError {
    this.moved = true;
    return new StorageError("conflict", "The entry changed while it was read; read it again.", {
      operation: "read",
      storage: this.#below.name,
      key: this.key,
      cause,
    });
  }

  #track(reader: InnerReader): InnerReader {
    this.#touched = true;
    this.#open.add(reader);
    return reader;
  }

  #cancel(reader: InnerReader, reason?: unknown): void {
    if (this.#open.delete(reader)) reader.cancel(reason).catch(ignore);
  }
}

const empty: Bytes = new Uint8Array(0);
const ignore = (): void => {};
