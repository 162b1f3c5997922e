import {
  cancelSource,
  checkBatch,
  checkBytes,
  checkDeleteOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  forEachConcurrently,
  isConditional,
  isExpired,
  isRepeatable,
  otherVersion,
  rejecting,
  scan,
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
  ListOptions,
  Operation,
  Page,
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
import type { Seen } from "./creating.ts";
import { parseEtag, tellEtag } from "./etags.ts";
import { blockSize, checksumSize, makeHeader, plainSizeOf, storedSizeOf } from "./format.ts";
import type { Header, Start } from "./format.ts";
import { legacyUntil } from "./settings.ts";
import { headSize, Starts } from "./starts.ts";
import { sweep } from "./sweep.ts";
import type { SweepOptions, SweepProgress } from "./sweep.ts";
import { Unreadable } from "./unreadable.ts";

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

/** How a put or a write gets below, and whether it may again. */
interface Sending<O> {
  readonly send: (options: O) => Promise<EntryInfo>;
  readonly repeatable: boolean;
}

/** What is known of a stored value. */
interface EnvelopeLayout extends StoredLayout {
  readonly start: Start;
  readonly size: number;
}

/** What `envelope()` makes, for `findLayer`: `sweep()` is here. */
export class EnvelopeStorage extends TransformedStorage<EnvelopeLayout> {
  readonly name = "envelope";
  readonly #options: EnvelopeOptions;
  readonly #starts: Starts;
  readonly #abilities: () => Capabilities;
  readonly #stats = { written: 0, read: 0, expired: 0, damaged: 0, legacyReads: 0, swept: 0 };

  constructor(inner: ByteStorage, options: EnvelopeOptions, until: number) {
    super(inner, options.clock);
    this.#options = options;
    this.#starts = new Starts(this.name, this.clock, until);
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
    if (this.#isPast(settled) && !isConditional(settled)) return this.delete(key, { signal: settled.signal }).then(() => ({ key }));
    return this.#send("put", key, settled, { repeatable: true, send: (sent) => super.put(key, value, sent) });
  }

  override write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    return writing(source, () => {
      checkSource(source, this.name, key);
      checkPutOptions(options, this, "write");
      const settled = withExpiry(options, this.clock, this, "write");
      if (settled.ifNoneMatch === undefined || this.capabilities.streams === "none" || isRepeatable(source)) {
        return this.#send("write", key, settled, { repeatable: true, send: (sent) => super.write(key, source, sent) });
      }
      let begun = false;
      const send = (sent: WriteOptions): Promise<EntryInfo> => {
        begun = true;
        return super.write(key, source, sent);
      };
      return this.#send("write", key, settled, { repeatable: false, send }).catch((error: unknown) => {
        if (!begun) cancelSource(source, error);
        throw error;
      });
    });
  }

  /** Sends a put or a write under its condition, in the words of the storage below. */
  #send<O extends PutOptions>(operation: "put" | "write", key: string, options: O, { repeatable, send }: Sending<O>): Promise<EntryInfo> {
    const { ifMatch, ifNoneMatch } = options;
    let sent: Promise<EntryInfo>;
    if (ifMatch !== undefined) sent = send({ ...options, ifMatch: this.#below(operation, key, ifMatch) });
    else if (ifNoneMatch === undefined) sent = send(options);
    else {
      sent = create({
        look: () => this.#look(key, options),
        send: (place) => send({ ...options, ifNoneMatch: undefined, ...place }),
        repeatable,
        storage: this.name,
        operation,
        key,
      });
    }
    return this.#isPast(options) ? sent.then((info) => this.#removePast(info)) : sent;
  }

  /** The second half of a write that is a delete, because its expiry is past. It is missing by now; where this fails, `sweep` does it. */
  async #removePast({ key, etag }: EntryInfo): Promise<EntryInfo> {
    if (etag !== undefined && this.capabilities.conditions.includes("delete")) {
      await this.below.delete(key, { ifMatch: parseEtag(etag).etag }).catch(() => {});
    }
    return { key };
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
      const prepared = operations.flatMap((operation) => this.#prepare(operation));
      return sendBatch(prepared, options, {
        look: (key) => this.#look(key, options),
        send: (changed) => super.batch(changed, options),
      });
    });
  }

  /** An operation of a batch with the etag of below; where its expiry is past, the delete that it is, after its condition. */
  #prepare(operation: Operation<Bytes>): readonly Operation<Bytes>[] {
    const { key, options } = operation;
    const ifMatch = options?.ifMatch === undefined ? undefined : this.#below("batch", key, options.ifMatch);
    if (operation.type === "delete") return [ifMatch === undefined ? operation : { type: "delete", key, options: { ifMatch } }];
    const settled = withExpiry(operation.options, this.clock, this, "batch");
    const put = { ...operation, options: ifMatch === undefined ? settled : { ...settled, ifMatch } };
    if (!this.#isPast(settled) || !((operation.value as unknown) instanceof Uint8Array)) return [put];
    return isConditional(settled) ? [put, { type: "delete", key }] : [{ type: "delete", key }];
  }

  /** As below; with `info` nothing that has expired is in it, nor a prefix under which everything has. */
  override async list(options?: ListOptions): Promise<Page> {
    const page = await super.list(options);
    if (options?.info !== true || page.prefixes.length === 0) return page;
    const alive: boolean[] = [];
    await forEachConcurrently(page.prefixes, 4, async (prefix, index) => {
      alive[index] = await this.#isAlive(prefix, options.signal);
    });
    return { ...page, prefixes: page.prefixes.filter((_, index) => alive[index]) };
  }

  /** Whether anything under a prefix has not expired. What cannot be read is there. */
  async #isAlive(prefix: string, signal: AbortSignal | undefined): Promise<boolean> {
    for await (const { key } of scan(this.below, { prefix, limit: 16, signal })) {
      try {
        if ((await this.#look(key, { signal }))?.expired === false) return true;
      } catch (error) {
        if (!StorageError.is(error, "corrupt") && !StorageError.is(error, "unsupported")) throw error;
        return true;
      }
    }
    return false;
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
      const start = this.#starts.of(stored, key);
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
    { start: header, size }: EnvelopeLayout,
    value: StoredValue,
    start: number,
    end: number,
  ): AsyncGenerator<Bytes, void, void> {
    try {
      if (header === "raw") {
        this.#starts.checkLegacy();
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
  async #look(key: string, options: CallOptions | undefined): Promise<Seen | undefined> {
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

  /** The etag of below that a condition asks for; refused where that version has expired, because it is missing then. */
  #below(operation: "put" | "write" | "delete" | "batch" | "read", key: string, told: string): string {
    const { etag, expiresAt } = parseEtag(told);
    if (isExpired(expiresAt, this.clock)) throw otherVersion(operation, this.name, key);
    return etag;
  }

  #isPast({ expiresAt }: Pick<PutOptions, "expiresAt"> = {}): boolean {
    return isExpired(expiresAt, this.clock);
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

  /** What cannot be read, as the contract names it; every other error as it is. */
  #fail(error: unknown, key: string): never {
    if (!(error instanceof Unreadable)) throw error;
    if (error.code === "corrupt") this.#stats.damaged++;
    throw new StorageError(error.code, error.message, { storage: this.name, key });
  }
}
