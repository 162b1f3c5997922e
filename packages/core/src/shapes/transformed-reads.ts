import { ownedBytes, resolveRange } from "../contract/bytes.ts";
import type { Bytes, ByteStorage, Entry, EntryInfo, ReadOptions } from "../contract/contract.ts";
import { untilAborted } from "../contract/sources.ts";
import { InnerValue } from "./stored-value.ts";
import type { StoredValue } from "./stored-value.ts";

/** What a layer over bytes found out about one stored value: enough to read any part of it. Remembered by key and etag. */
export interface StoredLayout {
  /** Bytes of the value as the layer presents it. May be absent only where the stored value is not `pinned`. */
  readonly size?: number | undefined;
  /** Ranges are asked for in whole blocks of this many bytes from the start; core cuts them. @default 1 */
  readonly blockSize?: number | undefined;
}

/** What `TransformedReads` needs of its layer: the hooks of `TransformedStorage`. */
export interface ReadHooks<L extends StoredLayout> {
  readonly below: ByteStorage;
  frontSize(): number;
  layout(value: StoredValue): L | undefined | Promise<L | undefined>;
  decodeRange(layout: L, value: StoredValue, start: number, end: number): AsyncIterable<Bytes>;
  info(info: EntryInfo, value: StoredValue, layout: L): EntryInfo | undefined | Promise<EntryInfo | undefined>;
}

interface Remembered<L> {
  readonly layout: L;
  readonly info: EntryInfo;
}

/** Times that a read is started again because the entry changed under it. */
export const restarts = 3;

/** Layouts that one storage remembers. */
const memory = 64;

/**
 * Reads of a layer over bytes: finds the layout, asks the layer for whole blocks of one version, cuts them to the range.
 * When the entry changes before the first bytes are there, the read starts again.
 */
export class TransformedReads<L extends StoredLayout> {
  readonly #hooks: ReadHooks<L>;
  readonly #remembered = new Map<string, Remembered<L>>();

  constructor(hooks: ReadHooks<L>) {
    this.#hooks = hooks;
  }

  async read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    let known = this.#recall(key, options);
    for (let attempt = 0; ; attempt++) {
      const value = known === undefined ? await this.#begin(key, options) : new InnerValue(this.#hooks.below, known.info, options.signal);
      if (value === undefined) return undefined;
      try {
        const entry = await untilAborted(this.#open(value, options, known?.layout), options.signal);
        if (entry === undefined) value.close();
        return entry;
      } catch (error) {
        value.close(error);
        if (!value.moved || attempt >= restarts) throw error;
        if (known !== undefined) attempt--; // what was remembered was old: not a race
        known = undefined;
        this.#remembered.delete(key);
      }
    }
  }

  /** The first inner read: of everything where that is wanted or is all that the inner storage can do, else of the front. */
  async #begin(key: string, { start = 0, end, ifMatch, signal }: ReadOptions): Promise<InnerValue | undefined> {
    const { below } = this.#hooks;
    if (below.capabilities.streams === "native" && (start !== 0 || end !== undefined)) {
      const frontSize = this.#hooks.frontSize();
      const front = await below.read(key, { start: 0, end: frontSize, ifMatch, signal });
      if (front === undefined) return undefined;
      const value = await InnerValue.front(below, front, frontSize, signal);
      if (value.pinned) return value;
    }
    const entry = await below.read(key, { ifMatch, signal });
    if (entry === undefined) return undefined;
    const value = InnerValue.reading(below, entry, signal);
    if (below.capabilities.streams === "buffered") await value.load();
    return value;
  }

  async #open(value: InnerValue, options: ReadOptions, known: L | undefined): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const { start = 0, end, signal } = options;
    let layout = known ?? (await this.#hooks.layout(value));
    if (layout !== undefined && layout.size === undefined && (start < 0 || (end ?? 0) < 0)) {
      await value.load(); // counted from the end, which only the whole value tells
      layout = await this.#hooks.layout(value);
    }
    if (layout === undefined) return undefined;
    const { size } = layout;
    const range = size === undefined ? { start, end: Math.max(start, end ?? Number.POSITIVE_INFINITY) } : resolveRange(size, start, end);
    const chunks = this.#chunks(layout, value, range.start, range.end);
    const first = await chunks.next();
    const info = await this.#hooks.info(value.info, value, layout);
    signal?.throwIfAborted();
    if (info === undefined) {
      await chunks.return();
      return undefined;
    }
    this.#remember(value, layout);
    const stream = streamFrom(first, chunks, value, signal);
    return size === undefined ? { ...info, value: stream } : { ...info, size, value: stream };
  }

  /** The bytes from `start` to `end`, cut from whole blocks, in chunks that own their memory. */
  async *#chunks(layout: L, value: InnerValue, start: number, end: number): AsyncGenerator<Bytes, void, void> {
    if (start >= end) return await value.touch();
    const { size = Number.POSITIVE_INFINITY, blockSize = 1 } = layout;
    let position = Math.floor(start / blockSize) * blockSize;
    const blocksEnd = Math.min(Math.ceil(end / blockSize) * blockSize, size);
    for await (const chunk of this.#hooks.decodeRange(layout, value, position, blocksEnd)) {
      const wanted = chunk.subarray(Math.max(start - position, 0), Math.max(end - position, 0));
      position += chunk.byteLength;
      if (wanted.byteLength > 0) yield ownedBytes(wanted);
      if (position >= end) return;
    }
  }

  #recall(key: string, { ifMatch }: ReadOptions): Remembered<L> | undefined {
    const known = this.#remembered.get(key);
    return known === undefined || (ifMatch !== undefined && known.info.etag !== ifMatch) ? undefined : known;
  }

  #remember(value: InnerValue, layout: L): void {
    if (value.info.etag === undefined) return;
    this.#remembered.delete(value.key);
    this.#remembered.set(value.key, { layout, info: value.info });
    if (this.#remembered.size > memory) this.#remembered.delete(this.#remembered.keys().next().value as string);
  }
}

/** A stream of the chunks, the first of which was already asked for. Ends at once, and frees everything, when cancelled or aborted. */
function streamFrom(
  first: IteratorResult<Bytes, void>,
  chunks: AsyncGenerator<Bytes, void, void>,
  value: InnerValue,
  signal: AbortSignal | undefined,
): ReadableStream<Bytes> {
  let step: IteratorResult<Bytes, void> | undefined = first;
  let ended = false;
  let abort: (() => void) | undefined;
  const end = (reason?: unknown): void => {
    ended = true;
    if (abort !== undefined) signal?.removeEventListener("abort", abort);
    value.close(reason);
    chunks.return().catch(() => {});
  };
  return new ReadableStream<Bytes>(
    {
      start(controller) {
        if (signal === undefined) return;
        abort = () => {
          controller.error(signal.reason);
          end(signal.reason);
        };
        signal.addEventListener("abort", abort, { once: true });
      },
      async pull(controller) {
        try {
          const { done, value: chunk } = step ?? (await chunks.next());
          step = undefined;
          if (ended) return;
          if (done !== true) return controller.enqueue(chunk);
          end();
          controller.close();
        } catch (error) {
          if (ended) return;
          end(error);
          throw error;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
