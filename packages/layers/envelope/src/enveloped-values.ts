import { isExpired, StorageError, TransformedStorage, Unreadable } from "@stowage/core";
import type { Bytes, ByteStorage, CallOptions, Clock, EntryInfo, PutOptions, StoredLayout, StoredValue, WriteOptions } from "@stowage/core";
import { open, openStream, seal, sealStream, storedRange } from "./blocks.ts";
import type { Seen } from "./creating.ts";
import { tellEtag } from "./etags.ts";
import { blockSize, checksumSize, makeHeader, plainSizeOf, storedSizeOf } from "./format.ts";
import type { Header, Start } from "./format.ts";
import { headSize, Starts } from "./starts.ts";

/** What is known of a stored value. */
interface EnvelopedLayout extends StoredLayout {
  readonly start: Start;
  readonly size: number;
}

/** Values in envelopes: the half of the layer that knows what is stored. What has expired is missing. */
export abstract class EnvelopedValues extends TransformedStorage<EnvelopedLayout> {
  override readonly name = "envelope";
  protected readonly stats = { encodedValues: 0, decodedValues: 0, expired: 0, damaged: 0, legacyReads: 0, swept: 0 };
  readonly #starts: Starts;

  constructor(inner: ByteStorage, legacyUntil: number, clock: Clock | undefined) {
    super(inner, clock);
    this.#starts = new Starts(this.name, this.clock, legacyUntil);
  }

  protected override get headSize(): number {
    return headSize;
  }

  /** A header and the first block, so that a part of a small value, or of the start of a large one, is one read below. */
  protected override get frontSize(): number {
    return headSize + blockSize + checksumSize;
  }

  protected override get hides(): boolean {
    return true;
  }

  protected override innerOptions<O extends Omit<WriteOptions, "signal">>(options: O | undefined): O | undefined {
    if (options?.metadata === undefined && options?.expiresAt === undefined) return options;
    return { ...options, metadata: undefined, expiresAt: undefined };
  }

  protected override storedSize(size: number, { expiresAt, metadata }: WriteOptions): number {
    return storedSizeOf(makeHeader(expiresAt, metadata).byteLength, size);
  }

  protected override written(info: EntryInfo, size: number, options: PutOptions | undefined): EntryInfo {
    return this.#tell(info, size, options?.expiresAt, options?.metadata);
  }

  protected encode(value: Uint8Array, key: string, options: PutOptions | undefined): Bytes {
    const header = this.header("put", key, options);
    this.stats.encodedValues++;
    return seal(header, value);
  }

  protected encodeStream(chunks: AsyncIterable<Uint8Array>, key: string, options: WriteOptions): AsyncIterable<Bytes> {
    const header = this.header("write", key, options);
    this.stats.encodedValues++;
    return sealStream(header, chunks);
  }

  protected decode(stored: Bytes, key: string): Bytes | undefined {
    try {
      const start = this.#starts.of(stored, key);
      if (start === "raw") {
        this.stats.legacyReads++;
        return stored;
      }
      if (this.#isGone(start)) return undefined;
      this.stats.decodedValues++;
      return open(start, stored);
    } catch (error) {
      return this.#fail(error, key);
    }
  }

  protected async layout(value: StoredValue): Promise<EnvelopedLayout | undefined> {
    try {
      const start = await this.#starts.find(value);
      if (start !== "raw" && this.#isGone(start)) return undefined;
      const storedSize = value.info.size ?? (await value.bytes()).byteLength;
      if (start === "raw") return { start, size: storedSize };
      const size = plainSizeOf(start, storedSize);
      if (size === 0) open(start, await value.bytes()); // of which no block will be read
      return { start, size, blockSize: start.blockSize };
    } catch (error) {
      return this.#fail(error, value.key);
    }
  }

  protected async *decodeRange(
    { start: header, size }: EnvelopedLayout,
    value: StoredValue,
    start: number,
    end: number,
  ): AsyncGenerator<Bytes, void, void> {
    try {
      if (header === "raw") {
        this.#starts.checkLegacy();
        this.stats.legacyReads++;
        for await (const chunk of value.stream(start, end)) yield chunk;
        return;
      }
      this.stats.decodedValues++;
      const range = storedRange(header, start, end);
      yield* openStream(header, value.stream(range.start, range.end), { start, end, size });
    } catch (error) {
      this.#fail(error, value.key);
    }
  }

  protected override async info(_info: EntryInfo, value: StoredValue, layout?: EnvelopedLayout): Promise<EntryInfo | undefined> {
    try {
      const start = layout?.start ?? (await this.#starts.find(value));
      const { info } = value;
      if (start === "raw") return this.#tell(info, info.size, info.expiresAt, info.metadata);
      if (this.#isGone(start)) return undefined;
      const size = layout?.size ?? (info.size === undefined ? undefined : plainSizeOf(start, info.size));
      return this.#tell(info, size, start.expiresAt, start.metadata);
    } catch (error) {
      return this.#fail(error, value.key);
    }
  }

  /** What is told of an entry above. */
  #tell(
    { key, etag, modifiedAt }: EntryInfo,
    size: number | undefined,
    expiresAt: number | undefined,
    metadata: EntryInfo["metadata"],
  ): EntryInfo {
    return {
      key,
      ...(size !== undefined && { size }),
      ...(etag !== undefined && { etag: tellEtag(etag, expiresAt) }),
      ...(modifiedAt !== undefined && { modifiedAt }),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(metadata !== undefined && { metadata: { ...metadata } }),
    };
  }

  /** What is stored under a key, expired or not. */
  protected async seen(key: string, options: CallOptions | undefined): Promise<Seen | undefined> {
    const value = await this.look(key, { signal: options?.signal });
    if (value === undefined) return undefined;
    try {
      const start = await this.#starts.find(value);
      return { etag: value.info.etag, expired: start !== "raw" && isExpired(start.expiresAt, this.clock) };
    } catch (error) {
      return this.#fail(error, key);
    } finally {
      value.close();
    }
  }

  #isGone({ expiresAt }: Header): boolean {
    if (!isExpired(expiresAt, this.clock)) return false;
    this.stats.expired++;
    return true;
  }

  /** The header of a value that is put; `too-large` where the metadata is. */
  protected header(operation: "put" | "write", key: string, options: PutOptions | undefined): Bytes {
    try {
      return makeHeader(options?.expiresAt, options?.metadata);
    } catch (error) {
      if (!StorageError.is(error, "too-large")) throw error;
      throw new StorageError(error.code, error.message, { storage: this.name, operation, key });
    }
  }

  /** What cannot be read, as the contract names it; every other error as it is. */
  #fail(error: unknown, key: string): never {
    if (!(error instanceof Unreadable)) throw error;
    if (error.code === "corrupt") this.stats.damaged++;
    throw new StorageError(error.code, error.message, { storage: this.name, key });
  }
}
