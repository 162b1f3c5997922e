import { StorageError, TransformedStorage, Unreadable } from "@stowage/core";
import type {
  ByteLayer,
  Bytes,
  ByteStorage,
  CallOptions,
  Clock,
  Details,
  Legacy,
  PutOptions,
  StoredValue,
  WriteOptions,
} from "@stowage/core";
import type { CodecName } from "./codec.ts";
import type { Engine } from "./codecs.ts";
import { Decoder } from "./decoder.ts";
import type { CompressedLayout } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import { settle } from "./settings.ts";
import type { Settings, Stats } from "./settings.ts";
import { tooLarge } from "./too-large.ts";

export interface CompressedOptions {
  /** How new values are compressed; values of every codec can be read. @default "zstd"; "brotli" where there is no node:zlib */
  readonly codec?: CodecName | undefined;
  /** How hard to try: zstd 1 to 22, gzip 1 to 9, brotli 0 to 11. @default 3 for zstd, 6 for gzip, 4 for brotli */
  readonly level?: number | undefined;
  /** Values of fewer bytes are stored as they are. @default 128 */
  readonly minSize?: number | undefined;
  /** The share that must be saved; a value or block that shrinks less is stored as it is. @default 0.05 */
  readonly minSaving?: number | undefined;
  /** Bytes of the largest value; more is `too-large`. @default 256 MiB for one that is put or got as a whole, no limit for a stream */
  readonly maxSize?: number | undefined;
  /**
   * Values without a header are from before this layer and are given as they are: `"raw"` for ever, or `until` a moment
   * (a date, its text, or milliseconds since the epoch). @default they are `corrupt`
   */
  readonly legacy?: Legacy | undefined;
  /** Who does the work for brotli: node:zlib, the package brotli-wasm, or that package as you loaded it. @default "auto": node:zlib where it is */
  readonly engine?: Engine | undefined;
  /** @default the time of the machine */
  readonly clock?: Clock | undefined;
}

/**
 * Compresses values. Its place is above `encrypted` and `envelope` and below the codec: what is encrypted does not shrink.
 *
 * Values above 1 MiB and streams are compressed in independent blocks of 1 MiB, several at once, so that a range
 * decompresses only the blocks it touches. Every stored value has a header with codec, length and checksum: damage is
 * `corrupt`, and so is a value from before this layer, unless `legacy` is set.
 */
export function compressed(options: CompressedOptions = {}): ByteLayer {
  const settings = settle(options);
  return (inner) => new CompressedStorage(inner, settings, options);
}

/** What `compressed()` makes, for `findLayer`. Its counters are in `details()`. */
export class CompressedStorage extends TransformedStorage<CompressedLayout> {
  readonly name = "compressed";
  readonly #settings: Settings;
  readonly #options: CompressedOptions;
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  readonly #stats: Stats = {
    encodedValues: 0,
    decodedValues: 0,
    encodedBlocks: 0,
    decodedBlocks: 0,
    storedPlain: 0,
    plainBytes: 0,
    storedBytes: 0,
    legacyReads: 0,
  };

  constructor(inner: ByteStorage, settings: Settings, options: CompressedOptions) {
    super(inner, options.clock);
    this.#settings = settings;
    this.#options = options;
    this.#encoder = new Encoder(settings, this.#stats);
    this.#decoder = new Decoder(settings, this.#stats, this.clock);
  }

  override details(): Details {
    const { codec, level, minSize, minSaving, maxSize } = this.#settings;
    const { legacy, engine = "auto" } = this.#options;
    return {
      options: { codec, level, minSize, minSaving, maxSize, legacy, engine: typeof engine === "object" ? "brotli-wasm" : engine },
      stats: { ...this.#stats },
    };
  }

  /** Enough for most values in one piece, so that a part of one is one inner read. */
  protected override get frontSize(): number {
    return 64 * 1024;
  }

  protected encode(value: Uint8Array, key: string, options: PutOptions | undefined): Bytes | Promise<Bytes> {
    const { maxSize } = this.#settings;
    if (value.byteLength <= maxSize) return this.#encoder.whole(value, options?.signal);
    const { message } = tooLarge(this.#settings, "put");
    throw new StorageError("too-large", message, { storage: this.name, operation: "put", key });
  }

  protected encodeStream(chunks: AsyncIterable<Uint8Array>, key: string, options: WriteOptions): AsyncIterable<Bytes> {
    const limited = this.#settings.maxStreamSize < Number.POSITIVE_INFINITY;
    return this.#encoder.stream(limited ? this.#limited(chunks, key, options.size) : chunks, options.size);
  }

  /** Ends a source that gives more than a stream may have. */
  async *#limited(chunks: AsyncIterable<Uint8Array>, key: string, size = 0): AsyncGenerator<Uint8Array, void, void> {
    const { maxStreamSize } = this.#settings;
    let received = 0;
    for await (const chunk of chunks) {
      received += chunk.byteLength;
      if (received > maxStreamSize || size > maxStreamSize) {
        const { message } = tooLarge(this.#settings, "write");
        throw new StorageError("too-large", message, { storage: this.name, operation: "write", key });
      }
      yield chunk;
    }
  }

  protected decode(stored: Bytes, key: string, options: CallOptions | undefined): Bytes | Promise<Bytes> {
    try {
      const value = this.#decoder.whole(stored, key, options?.signal);
      return value instanceof Promise ? value.catch((error: unknown) => this.#fail(error, key)) : value;
    } catch (error) {
      return this.#fail(error, key);
    }
  }

  protected async layout(value: StoredValue): Promise<CompressedLayout> {
    return await this.#decoder.layout(value).catch((error: unknown) => this.#fail(error, value.key));
  }

  protected async *decodeRange(
    layout: CompressedLayout,
    value: StoredValue,
    start: number,
    end: number,
  ): AsyncGenerator<Bytes, void, void> {
    try {
      yield* this.#decoder.range(layout, value, start, end);
    } catch (error) {
      this.#fail(error, value.key);
    }
  }

  /** What cannot be read, as the contract names it; every other error as it is. */
  #fail(error: unknown, key: string): never {
    if (!(error instanceof Unreadable)) throw error;
    throw new StorageError(error.code, error.message, { storage: this.name, key, cause: error.cause });
  }
}
