import type { Lifecycle } from "../backend/lifecycle.ts";
import { layerLifecycle } from "../backend/lifecycle.ts";
import { checkBytes } from "../contract/bytes.ts";
import { checkSource, whenAborted } from "../contract/sources.ts";
import type { Clock } from "../contract/clock.ts";
import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  ClearOptions,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "../contract/contract.ts";
import { checkBatch, checkReadOptions, refuseAbility, withExpiry } from "../contract/options.ts";
import { forEachConcurrently } from "../functions/concurrently.ts";
import { ForwardingStorage } from "./forwarding-storage.ts";
import { checkHoldsBytes } from "./holds-bytes.ts";
import { preparedBatch } from "./prepared-batch.ts";
import { InnerValue } from "./stored-value.ts";
import type { StoredValue } from "./stored-value.ts";
import { restarts, TransformedReads } from "./transformed-reads.ts";
import type { StoredLayout } from "./transformed-reads.ts";
import { encodedSource } from "./transformed-writes.ts";

/** Headers asked for at once by one `list`. */
const concurrency = 16;

/**
 * The shape of a layer from bytes to bytes: compressed, encrypted, envelope. It has two paths.
 *
 * Whole values (`get`, `getEntry`, `getEntries`, `put`, `batch`) go through `encode` and `decode`. Both may be synchronous,
 * and then cost one step of a promise.
 *
 * Streams go through `encodeStream`; and through `layout`, which finds out what is stored, and `decodeRange`, which gives
 * whole blocks of it. The shape does the rest: ranges as in `Blob.slice`, all inner reads of one version, starting again at
 * most 3 times when the entry changes, cutting, cancelling, and remembering layouts by key and etag.
 *
 * A failing hook throws or rejects with a `StorageError`; an error of `StoredValue` is passed on as it is.
 */
export abstract class TransformedStorage<L extends StoredLayout = StoredLayout> extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly #reads: TransformedReads<L>;
  /** A hook may take its time, so `close` waits for calls that are not below yet, or not any more. */
  readonly #lifecycle: Lifecycle;

  constructor(below: ByteStorage, clock?: Clock) {
    super(below, clock);
    checkHoldsBytes(below, "This layer works on bytes: put it below the codec.");
    this.#lifecycle = layerLifecycle(this, below, this.clock);
    this.#reads = new TransformedReads<L>({
      below,
      frontSize: () => this.frontSize,
      layout: (value) => this.layout(value),
      decodeRange: (layout, value, start, end) => this.decodeRange(layout, value, start, end),
      info: (info, value, layout) => this.info(info, value, layout),
    });
  }

  /** The stored form of a whole value. Leaves `value` as it is. `options` carry metadata and expiry for layers that store them. */
  protected abstract encode(value: Uint8Array, key: string, options: PutOptions | undefined): Bytes | Promise<Bytes>;

  /** The value of a stored form, in memory of its own. `undefined`: treat the entry as missing. `corrupt` where nothing encodes to this. */
  protected abstract decode(stored: Bytes, key: string, options: CallOptions | undefined): Bytes | undefined | Promise<Bytes | undefined>;

  /** The stored form of a stream. Stops reading the chunks when it is stopped itself, as `for await` does. `options.size` is the plain size where it is known. */
  protected abstract encodeStream(chunks: AsyncIterable<Uint8Array>, key: string, options: WriteOptions): AsyncIterable<Bytes>;

  /** What must be known to read parts of a stored value. `undefined`: treat the entry as missing. */
  protected abstract layout(value: StoredValue): L | undefined | Promise<L | undefined>;

  /**
   * The bytes from `start` to `end` of the value, both at bounds of blocks (`end` may also be the size, and is infinite where
   * the size is not known). Takes the stored bytes from `value`, best by one `value.stream`.
   */
  protected abstract decodeRange(layout: L, value: StoredValue, start: number, end: number): AsyncIterable<Bytes>;

  /**
   * What an entry looks like from above. `undefined`: treat it as missing; a layer that answers that also sets `hides`.
   * `layout` is there where it is already known. Without a change here, `size` is dropped, because the stored one is another.
   */
  protected info(info: EntryInfo, _value: StoredValue, _layout?: L): EntryInfo | undefined | Promise<EntryInfo | undefined> {
    return info.size === undefined ? info : withSize(info, undefined);
  }

  /** Bytes at the front of a value that a range asks for first: the header, and what is cheap to read along with it. */
  protected get frontSize(): number {
    return 16 * 1024;
  }

  /**
   * Bytes at the front of a value that `info` wants to see. Then `head`, and `list` with `info` for each of its keys, ask for
   * them by one read, which tells the rest too, in place of asking below for what is known. @default 0
   */
  protected get headSize(): number {
    return 0;
  }

  /** Whether `info` may treat an entry as missing, so that `has` must ask it. */
  protected get hides(): boolean {
    return false;
  }

  /** The options of a write that go below. A layer that stores metadata or expiry itself takes them out here. */
  protected innerOptions<O extends Omit<WriteOptions, "signal">>(options: O | undefined): O | undefined {
    return options;
  }

  /** The stored size of a stream of `size` plain bytes, where it can be told beforehand. */
  protected storedSize(_size: number, _options: WriteOptions): number | undefined {
    return undefined;
  }

  /** The answer of `put` and `write`. */
  protected written(info: EntryInfo, size: number, _options: PutOptions | undefined): EntryInfo {
    return withSize(info, size);
  }

  /** Counts a call of several steps as one: `close` waits for all of it. */
  protected during<T>(operation: string, call: () => Promise<T>): Promise<T> {
    return this.#lifecycle.during(operation, call);
  }

  /** As `during`, for a write, whose source is cancelled where it is refused. */
  protected duringWrite(source: ByteSource, call: () => Promise<EntryInfo>): Promise<EntryInfo> {
    return this.#lifecycle.duringWrite(source, call);
  }

  /** Begins a call as a step of one that is counted, which a `close` meanwhile does not refuse. */
  protected step<T>(begin: () => T): T {
    return this.#lifecycle.step(begin);
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#lifecycle.during("get", () =>
      this.below
        .get(key, options)
        .then((stored) => (stored === undefined ? undefined : promptly(this.decode(stored, key, options), options?.signal))),
    );
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#lifecycle.during("getEntry", () =>
      this.below.getEntry(key, options).then((entry) => entry && this.#decodeEntry(entry, options)),
    );
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#lifecycle.during("getEntries", async () => {
      const entries = await this.below.getEntries(keys, options);
      return await Promise.all(entries.map(async (entry) => entry && (await this.#decodeEntry(entry, options))));
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#lifecycle.during("head", () => this.#head(key, options));
  }

  async #head(key: string, options: CallOptions | undefined): Promise<EntryInfo | undefined> {
    for (let attempt = 0; ; attempt++) {
      const value = await this.look(key, options);
      if (value === undefined) return undefined;
      try {
        return await promptly(this.info(value.info, value), options?.signal);
      } catch (error) {
        if (!value.moved || attempt >= restarts) throw error;
      } finally {
        value.close();
      }
    }
  }

  /** What `info` is asked about: an entry as it is stored now, with the first `headSize` bytes of its value. */
  protected async look(key: string, options: CallOptions | undefined): Promise<InnerValue | undefined> {
    const { headSize, belowBytes } = this;
    if (headSize === 0) {
      const info = await belowBytes.head(key, options);
      return info && new InnerValue(belowBytes, info, options?.signal);
    }
    if (belowBytes.capabilities.streams === "none") {
      const entry = await belowBytes.getEntry(key, options);
      return entry && InnerValue.of(belowBytes, entry);
    }
    const front = await belowBytes.read(key, { start: 0, end: headSize, signal: options?.signal });
    return front && (await InnerValue.front(belowBytes, front, headSize, options?.signal));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#lifecycle.during("has", () =>
      this.hides ? this.#head(key, options).then((info) => info !== undefined) : this.below.has(key, options),
    );
  }

  override list(options?: ListOptions): Promise<Page> {
    return this.#lifecycle.during("list", () => {
      if (options?.info !== true) return this.below.list(options).then(withoutSizes);
      const asked = this.headSize === 0 ? options : { ...options, info: false };
      return this.below.list(asked).then((page) => this.#describe(page, options));
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#lifecycle.during("put", () => {
      checkBytes(value, "put", this.name, key);
      const settled = withExpiry(options, this.clock, this, "put");
      settled?.signal?.throwIfAborted();
      const encoded = this.encode(value, key, settled);
      if (!(encoded instanceof Promise)) return this.#store(key, encoded, value.byteLength, settled);
      return prompt(encoded, settled?.signal).then((stored) => this.#store(key, stored, value.byteLength, settled));
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#lifecycle.during("delete", () => this.below.delete(key, options));
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", () => this.#batch(operations, options));
  }

  async #batch(operations: readonly Operation<Bytes>[], options: BatchOptions | undefined): Promise<void> {
    options?.signal?.throwIfAborted();
    checkBatch(operations, options, this);
    const encode = async (operation: Operation<Bytes>): Promise<Operation<Bytes>> => {
      if (operation.type !== "put") return operation;
      const { type, key, value } = operation;
      checkBytes(value, "batch", this.name, key);
      const settled = withExpiry(operation.options, this.clock, this, "batch");
      const encoded = await promptly(this.encode(value, key, settled), options?.signal);
      return { type, key, value: encoded, options: this.innerOptions(settled) };
    };
    await preparedBatch(this.name, operations, options, encode, (encoded) => this.below.batch(encoded, options));
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#lifecycle.during("clear", () => this.below.clear(options));
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.#lifecycle.during("read", () => {
      checkReadOptions(options, this);
      if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
      return this.#reads.read(key, options);
    });
  }

  override write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    return this.duringWrite(source, () => {
      checkSource(source, this.name, key);
      const settled = withExpiry(options, this.clock, this, "write");
      if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
      const { size, signal } = settled;
      const encode = (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Bytes> => this.encodeStream(chunks, key, settled);
      const encoded = encodedSource(source, encode, { size, signal, storage: this.name, key });
      const inner = { ...this.innerOptions(settled), size: size === undefined ? undefined : this.storedSize(size, settled) };
      return this.belowBytes.write(key, encoded.source, inner).then((info) => this.written(info, encoded.size(), settled));
    });
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#lifecycle.during("flush", () => this.below.flush(options));
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  #store(key: string, stored: Bytes, size: number, options: PutOptions | undefined): Promise<EntryInfo> {
    return this.below.put(key, stored, this.innerOptions(options)).then((info) => this.written(info, size, options));
  }

  async #decodeEntry(entry: Entry<Bytes>, options: CallOptions | undefined): Promise<Entry<Bytes> | undefined> {
    const described = this.info(withSize(entry, entry.value.byteLength), InnerValue.of(this.belowBytes, entry));
    const info = await promptly(described, options?.signal);
    if (info === undefined) return undefined;
    const value = await promptly(this.decode(entry.value, entry.key, options), options?.signal);
    return value && { ...info, size: value.byteLength, value };
  }

  /** A page as it looks from above. An entry that changed since the inner list is looked up again. */
  async #describe(page: Page, options: ListOptions): Promise<Page> {
    const found: (EntryInfo | undefined)[] = [];
    await forEachConcurrently(page.entries, concurrency, async (entry, index) => {
      if (this.headSize > 0) {
        found[index] = await this.#head(entry.key, options);
        return;
      }
      const value = new InnerValue(this.belowBytes, entry, options.signal);
      try {
        found[index] = await promptly(this.info(entry, value), options.signal);
      } catch (error) {
        if (!value.moved) throw error;
        found[index] = await this.#head(entry.key, options);
      } finally {
        value.close();
      }
    });
    return { ...page, entries: found.filter((info) => info !== undefined) };
  }
}

/** What is known of an entry, with this size alone. */
function withSize(info: EntryInfo, size: number | undefined): EntryInfo {
  const { key, etag, modifiedAt, expiresAt, metadata } = info;
  return {
    key,
    ...(size !== undefined && { size }),
    ...(etag !== undefined && { etag }),
    ...(modifiedAt !== undefined && { modifiedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata }),
  };
}

function withoutSizes(page: Page): Page {
  if (page.entries.every((entry) => entry.size === undefined)) return page;
  return { ...page, entries: page.entries.map((entry) => withSize(entry, undefined)) };
}

/** What a hook answers; where it takes a while, the reason of the signal as soon as that is aborted. */
function promptly<T>(result: T | Promise<T>, signal: AbortSignal | undefined): T | Promise<T> {
  return result instanceof Promise ? prompt(result, signal) : result;
}

function prompt<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  const aborted = whenAborted(signal);
  return Promise.race([result, aborted.promise]).finally(() => aborted.dispose());
}
