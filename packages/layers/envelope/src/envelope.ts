import {
  cancelSource,
  checkBatch,
  checkBytes,
  checkDeleteOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  headerOf,
  isConditional,
  isExpired,
  isRepeatable,
  missingLayer,
  otherVersion,
  rejecting,
  StorageError,
  TransformedStorage,
  withExpiry,
  writing,
} from "@stowage/core";
import type {
  BatchOptions,
  ByteLayer,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  Capabilities,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Operation,
  PutOptions,
  ReadOptions,
  StoredLayout,
  StoredValue,
  WriteOptions,
} from "@stowage/core";
import { open, openStream, seal, sealStream, storedRange } from "./blocks.ts";
import { sendBatch } from "./batches.ts";
import { capabilitiesOver } from "./capabilities.ts";
import { create } from "./creating.ts";
import type { Place, Seen } from "./creating.ts";
import { parseEtag, tellEtag } from "./etags.ts";
import { blockSize, checksumSize, makeHeader, plainSizeOf, readHeader, storedSizeOf } from "./format.ts";
import type { Header, Start } from "./format.ts";
import { legacyUntil } from "./settings.ts";
import { sweep } from "./sweep.ts";
import type { SweepOptions, SweepProgress } from "./sweep.ts";
import { Damage, Unreadable } from "./unreadable.ts";

export interface EnvelopeOptions {
  /**
   * Values without a header are from before this layer and are given as they are: `"raw"` for ever, or `until` a moment
   * (a date, its text, or milliseconds since the epoch). @default they are `corrupt`
   */
  readonly legacy?: "raw" | { readonly until: Date | string | number } | undefined;
  /** By which entries expire. @default the time of the storage below */
  readonly clock?: Clock | undefined;
}

/**
 * Gives expiry, metadata and a checksum to any storage of bytes. Its place is above `encrypted` and below `compressed`.
 *
 * Every stored value has a header, and a checksum behind each 64 KiB, which every read checks for what it touches: damage is
 * `corrupt`, and so is a value from before this layer, unless `legacy` is set. What has expired is missing at once; its room
 * is freed by `findLayer(storage, EnvelopeStorage)?.sweep()`.
 */
export function envelope(options: EnvelopeOptions = {}): ByteLayer {
  const until = legacyUntil(options);
  return (inner) => new EnvelopeStorage(inner, options, until);
}

/** What is known of a stored value. */
interface EnvelopeLayout extends StoredLayout {
  readonly start: Start;
  readonly size: number;
}

/** Enough of a value for `head`: its header, unless there is much metadata. */
const headSize = 4096;

/** What `envelope()` makes, for `findLayer`: `sweep()` is here. */
export class EnvelopeStorage extends TransformedStorage<EnvelopeLayout> {
  readonly name = "envelope";
  readonly #options: EnvelopeOptions;
  readonly #legacyUntil: number;
  readonly #abilities: () => Capabilities;
  readonly #stats = { written: 0, read: 0, expired: 0, damaged: 0, legacyReads: 0, swept: 0 };

  constructor(inner: ByteStorage, options: EnvelopeOptions, until: number) {
    super(inner, options.clock);
    this.#options = options;
    this.#legacyUntil = until;
    this.#abilities = capabilitiesOver(inner);
  }

  override get capabilities(): Capabilities {
    return this.#abilities();
  }

  override details(): Details {
    return { options: { legacy: this.#options.legacy }, stats: { ...this.#stats } };
  }

  /**
   * Removes entries that have expired, each only as the version that was seen, so that a newer one is never lost. Rejects
   * with `unsupported` where the storage below has no list or cannot delete with a condition.
   *
   * Ends when everything was looked at, or so many keys as `limit` says; then the answer has a `cursor` to go on from.
   */
  async sweep(options: SweepOptions = {}): Promise<SweepProgress> {
    const progress = await sweep(this.below, (key, signal) => this.#look(key, { signal }), options);
    this.#stats.swept += progress.removed;
    return progress;
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return options === undefined ? super.put(key, value) : rejecting(() => this.#put(key, value, options));
  }

  #put(key: string, value: Uint8Array, options: PutOptions): Promise<EntryInfo> {
    checkBytes(value, "put", this.name, key);
    checkPutOptions(options, this, "put");
    const settled = withExpiry(options, this.clock, this, "put");
    if (this.#isDelete(settled)) return this.delete(key, { signal: settled.signal }).then(() => ({ key }));
    const { ifMatch, ifNoneMatch } = settled;
    if (ifMatch !== undefined) return super.put(key, value, { ...settled, ifMatch: this.#below("put", key, ifMatch) });
    if (ifNoneMatch === undefined) return super.put(key, value, settled);
    return create({
      look: () => this.#look(key, settled),
      send: (place) => super.put(key, value, { ...settled, ifNoneMatch: undefined, ...place }),
      repeatable: true,
      storage: this.name,
      operation: "put",
      key,
    });
  }

  override write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    return writing(source, () => {
      checkSource(source, this.name, key);
      checkPutOptions(options, this, "write");
      const { ifMatch, ifNoneMatch } = options;
      if (ifMatch !== undefined) return super.write(key, source, { ...options, ifMatch: this.#below("write", key, ifMatch) });
      if (ifNoneMatch === undefined || this.capabilities.streams === "none") return super.write(key, source, options);
      const settled = withExpiry(options, this.clock, this, "write");
      const look = (): Promise<Seen | undefined> => this.#look(key, settled);
      let sent = false;
      const send = (place: Place): Promise<EntryInfo> => {
        sent = true;
        return super.write(key, source, { ...settled, ifNoneMatch: undefined, ...place });
      };
      const repeatable = isRepeatable(source);
      return create({ look, send, repeatable, storage: this.name, operation: "write", key }).catch((error: unknown) => {
        if (!sent) cancelSource(source, error);
        throw error;
      });
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return options?.ifMatch === undefined
      ? super.delete(key, options)
      : rejecting(() => {
          checkDeleteOptions(options, this);
          return super.delete(key, { ...options, ifMatch: this.#below("delete", key, options.ifMatch as string) });
        });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      checkBatch(operations, options, this);
      const prepared = operations.map((operation) => this.#prepare(operation));
      return sendBatch(prepared, options, {
        look: (key) => this.#look(key, options),
        send: (changed) => super.batch(changed, options),
      });
    });
  }

  /** An operation of a batch with the etag of below, and as the delete that it may be. */
  #prepare(operation: Operation<Bytes>): Operation<Bytes> {
    const { key, options } = operation;
    const ifMatch = options?.ifMatch === undefined ? undefined : this.#below("batch", key, options.ifMatch);
    if (operation.type === "delete") return ifMatch === undefined ? operation : { type: "delete", key, options: { ifMatch } };
    const settled = withExpiry(operation.options, this.clock, this, "batch");
    if (this.#isDelete(settled) && (operation.value as unknown) instanceof Uint8Array) return { type: "delete", key };
    return { ...operation, options: ifMatch === undefined ? settled : { ...settled, ifMatch } };
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return options?.ifMatch === undefined
      ? super.read(key, options)
      : rejecting(() => {
          checkReadOptions(options, this);
          return super.read(key, { ...options, ifMatch: this.#below("read", key, options.ifMatch as string) });
        });
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
    const header = this.#header(key, options);
    this.#stats.written++;
    return seal(header, value);
  }

  protected encodeStream(chunks: AsyncIterable<Uint8Array>, key: string, options: WriteOptions): AsyncIterable<Bytes> {
    const header = this.#header(key, options);
    this.#stats.written++;
    return sealStream(header, chunks);
  }

  protected decode(stored: Bytes, key: string): Bytes | undefined {
    try {
      const start = this.#startOf(stored, key);
      if (start === "raw") {
        this.#stats.legacyReads++;
        return stored;
      }
      if (this.#isGone(start)) return undefined;
      this.#stats.read++;
      return open(start, stored);
    } catch (error) {
      return this.#fail(error, key);
    }
  }

  protected async layout(value: StoredValue): Promise<EnvelopeLayout | undefined> {
    try {
      const start = await this.#read(value);
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
    { start: header, size }: EnvelopeLayout,
    value: StoredValue,
    start: number,
    end: number,
  ): AsyncGenerator<Bytes, void, void> {
    try {
      if (header === "raw") {
        this.#checkLegacy();
        this.#stats.legacyReads++;
        for await (const chunk of value.stream(start, end)) yield chunk;
        return;
      }
      this.#stats.read++;
      const range = storedRange(header, start, end);
      yield* openStream(header, value.stream(range.start, range.end), { start, end, size });
    } catch (error) {
      this.#fail(error, value.key);
    }
  }

  protected override async info(_info: EntryInfo, value: StoredValue, layout?: EnvelopeLayout): Promise<EntryInfo | undefined> {
    try {
      const start = layout?.start ?? (await this.#read(value));
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
  async #look(key: string, options: CallOptions | undefined): Promise<Seen | undefined> {
    const value = await this.look(key, { signal: options?.signal });
    if (value === undefined) return undefined;
    try {
      const start = await this.#read(value);
      return { etag: value.info.etag, expired: start !== "raw" && isExpired(start.expiresAt, this.clock) };
    } catch (error) {
      return this.#fail(error, key);
    } finally {
      value.close();
    }
  }

  /** The etag of below that a condition asks for; refused where that version has expired, because it is missing then. */
  #below(operation: "put" | "write" | "delete" | "batch" | "read", key: string, told: string): string {
    const { etag, expiresAt } = parseEtag(told);
    if (isExpired(expiresAt, this.clock)) throw otherVersion(operation, this.name, key);
    return etag;
  }

  /** Whether a put is a delete. Under a condition it stores an entry that is expired, because only a put can have both. */
  #isDelete(options: Omit<PutOptions, "signal"> | undefined): boolean {
    return isExpired(options?.expiresAt, this.clock) && !isConditional(options);
  }

  #isGone({ expiresAt }: Header): boolean {
    if (!isExpired(expiresAt, this.clock)) return false;
    this.#stats.expired++;
    return true;
  }

  #header(key: string, options: PutOptions | undefined): Bytes {
    try {
      return makeHeader(options?.expiresAt, options?.metadata);
    } catch (error) {
      if (!StorageError.is(error, "too-large")) throw error;
      throw new StorageError(error.code, error.message, { storage: this.name, operation: "put", key });
    }
  }

  /** How a stored value begins, from as many of its bytes as that takes. */
  async #read(value: StoredValue): Promise<Start> {
    let front = await value.bytes(0, headSize);
    const start = this.#partOf(front, value.key);
    if (typeof start !== "number") return start;
    front = await value.bytes(0, start);
    return this.#startOf(front, value.key);
  }

  /** How stored bytes begin that are all that the header takes. */
  #startOf(bytes: Uint8Array, key: string): Start {
    const start = this.#partOf(bytes, key);
    if (typeof start === "number") throw new Damage("it ends within its header");
    return start;
  }

  #partOf(bytes: Uint8Array, key: string): Start | number {
    const start = readHeader(bytes);
    if (start !== "raw" || this.#isLegacyTime()) return start;
    const found = headerOf(bytes);
    if (found !== undefined) throw missingLayer(found, { storage: this.name, key });
    this.#checkLegacy();
    return start;
  }

  #isLegacyTime(): boolean {
    return this.clock.now() < this.#legacyUntil;
  }

  /** Refuses a value without a header, unless the option allows it now. */
  #checkLegacy(): void {
    if (this.#isLegacyTime()) return;
    throw new Unreadable("corrupt", 'The value was not stored through this layer; the option legacy: "raw" gives values from before it.');
  }

  /** What cannot be read, as the contract names it; every other error as it is. */
  #fail(error: unknown, key: string): never {
    if (!(error instanceof Unreadable)) throw error;
    if (error.code === "corrupt") this.#stats.damaged++;
    throw new StorageError(error.code, error.message, { storage: this.name, key });
  }
}
