import {
  cancelSource,
  checkBatch,
  checkBytes,
  checkDeleteOptions,
  checkOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  forEachConcurrently,
  isConditional,
  isExpired,
  isRepeatable,
  legacyUntil,
  otherVersion,
  rejecting,
  scan,
  withExpiry,
} from "@stowage/core";
import type {
  BatchOptions,
  ByteLayer,
  ByteSource,
  Bytes,
  ByteStorage,
  Capabilities,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Legacy,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import { sendBatch } from "./batches.ts";
import { capabilitiesOver } from "./capabilities.ts";
import { create } from "./creating.ts";
import { isDamage } from "./damage.ts";
import { EnvelopedValues } from "./enveloped-values.ts";
import { parseEtag } from "./etags.ts";
import { sweep } from "./sweep.ts";
import type { SweepOptions, SweepProgress } from "./sweep.ts";

export interface EnvelopeOptions {
  /**
   * Values without a header are from before this layer and are given as they are: `"raw"` for ever, or `until` a moment
   * (a date, its text, or milliseconds since the epoch). @default they are `corrupt`
   */
  readonly legacy?: Legacy | undefined;
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
  checkOptions({}, options, "envelope", ["legacy"]);
  const until = legacyUntil(options.legacy, "envelope");
  return (inner) => new EnvelopeStorage(inner, options, until);
}

/** How a put or a write gets below, and whether it may again. */
interface Sending<O> {
  readonly send: (options: O) => Promise<EntryInfo>;
  readonly repeatable: boolean;
}

/** What `envelope()` makes, for `findLayer`: `sweep()` is here. */
export class EnvelopeStorage extends EnvelopedValues {
  readonly #options: EnvelopeOptions;
  readonly #abilities: () => Capabilities;

  constructor(inner: ByteStorage, options: EnvelopeOptions, until: number) {
    super(inner, until, options.clock);
    this.#options = options;
    this.#abilities = capabilitiesOver(inner);
  }

  override get capabilities(): Capabilities {
    return this.#abilities();
  }

  override details(): Details {
    return { options: { legacy: this.#options.legacy }, stats: { ...this.stats } };
  }

  /**
   * Removes entries that have expired, each only as the version that was seen, so that a newer one is never lost. Rejects
   * with `unsupported` where the storage below has no list or cannot delete with a condition.
   *
   * Ends when everything was looked at, or so many keys as `limit` says; then the answer has a `cursor` to go on from.
   */
  async sweep(options: SweepOptions = {}): Promise<SweepProgress> {
    const progress = await sweep(this.below, (key, signal) => this.seen(key, { signal }), options);
    this.stats.swept += progress.removed;
    return progress;
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return options === undefined ? super.put(key, value) : this.during("put", () => this.#put(key, value, options));
  }

  #put(key: string, value: Uint8Array, options: PutOptions): Promise<EntryInfo> {
    checkBytes(value, "put", this.name, key);
    checkPutOptions(options, this, "put");
    const settled = withExpiry(options, this.clock, this, "put");
    if (this.#isPast(settled) && !isConditional(settled)) return this.delete(key, { signal: settled.signal }).then(() => ({ key }));
    return this.#send("put", key, settled, { repeatable: true, send: (sent) => this.step(() => super.put(key, value, sent)) });
  }

  override write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    return this.duringWrite(source, () => this.#write(key, source, options));
  }

  #write(key: string, source: ByteSource, options: WriteOptions): Promise<EntryInfo> {
    checkSource(source, this.name, key);
    checkPutOptions(options, this, "write");
    const settled = withExpiry(options, this.clock, this, "write");
    this.header("write", key, settled); // refused before anything is read
    if (settled.ifNoneMatch === undefined || this.capabilities.streams === "none" || isRepeatable(source)) {
      return this.#send("write", key, settled, { repeatable: true, send: (sent) => this.step(() => super.write(key, source, sent)) });
    }
    let begun = false;
    const send = (sent: WriteOptions): Promise<EntryInfo> => {
      begun = true;
      return this.step(() => super.write(key, source, sent));
    };
    return this.#send("write", key, settled, { repeatable: false, send }).catch((error: unknown) => {
      if (!begun) cancelSource(source, error);
      throw error;
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
        look: () => this.seen(key, options),
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
    return this.during("batch", () => {
      checkBatch(operations, options, this);
      const prepared = operations.flatMap((operation) => this.#prepare(operation));
      return sendBatch(prepared, options, {
        look: (key) => this.seen(key, options),
        send: (changed) => this.step(() => super.batch(changed, options)),
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
  override list(options?: ListOptions): Promise<Page> {
    return options?.info === true ? this.during("list", () => this.#listAlive(options)) : super.list(options);
  }

  async #listAlive(options: ListOptions): Promise<Page> {
    const page = await super.list(options);
    const alive: boolean[] = [];
    await forEachConcurrently(page.prefixes, 4, async (prefix, index) => {
      alive[index] = await this.#isAlive({ prefix, startAfter: options.startAfter, signal: options.signal });
    });
    return { ...page, prefixes: page.prefixes.filter((_, index) => alive[index]) };
  }

  /** Whether anything there has not expired. What cannot be read is there. */
  async #isAlive(where: ListOptions): Promise<boolean> {
    for await (const { key } of scan(this.below, { ...where, limit: 16 })) {
      try {
        if ((await this.seen(key, where))?.expired === false) return true;
      } catch (error) {
        if (!isDamage(error)) throw error;
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

  /** The etag of below that a condition asks for; refused where that version has expired, because it is missing then. */
  #below(operation: "put" | "write" | "delete" | "batch" | "read", key: string, told: string): string {
    const { etag, expiresAt } = parseEtag(told);
    if (isExpired(expiresAt, this.clock)) throw otherVersion(operation, this.name, key);
    return etag;
  }

  #isPast({ expiresAt }: Pick<PutOptions, "expiresAt"> = {}): boolean {
    return isExpired(expiresAt, this.clock);
  }
}
