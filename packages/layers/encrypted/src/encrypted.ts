import { cancelSource, refuseAbility, resolveRange, TransformedStorage, writing } from "@stowage/core";
import type {
  ByteLayer,
  Bytes,
  ByteSource,
  ByteStorage,
  CallOptions,
  Capabilities,
  Clock,
  Details,
  Entry,
  EntryInfo,
  PutOptions,
  ReadOptions,
  StoredValue,
  WriteOptions,
} from "@stowage/core";
import { chunkBitsFor, chunksOf, storedChunks, storedSizeOf } from "./format.ts";
import { KeyRing } from "./key-ring.ts";
import type { KeySecret, PassphraseKey } from "./key-sources.ts";
import { Opener } from "./opener.ts";
import type { EncryptedLayout } from "./opener.ts";
import { Rewrapper } from "./rewrapper.ts";
import type { RewrapOptions, Rewrapped } from "./rewrapper.ts";
import { Sealer } from "./sealer.ts";
import { settle, wipe } from "./settings.ts";
import type { Settings } from "./settings.ts";
import type { SuiteName } from "./suites.ts";
import { Wrapping } from "./wrapping.ts";

export interface EncryptedOptions {
  /** The key ring. The first key writes, unless `current` names another; all of them read. */
  readonly keys: readonly KeyOptions[];
  /** The id of the key that writes. @default the first of `keys` */
  readonly current?: string | undefined;
  /**
   * The algorithm for values; those of the other are read all the same. `auto` takes XChaCha20-Poly1305 for small values,
   * and AES-256-GCM for large ones where the processor has instructions for it. @default "auto"
   */
  readonly suite?: SuiteName | "auto" | undefined;
  /** What values are bound to beside their keys, such as `production/users`: they cannot be read in another context. @default "" */
  readonly context?: string | undefined;
  /**
   * Values without a header are from before this layer and are given as they are `until` a moment (a date, its text, or
   * milliseconds since the epoch). Until then whoever can write below can pass off anything. @default they are `corrupt`
   */
  readonly legacy?: { readonly until: Date | string | number } | undefined;
  /** @default the time of what is below */
  readonly clock?: Clock | undefined;
}

/** A key of the ring: 32 bytes, or a passphrase to compute them from. Its id stands unencrypted in each value that it wrote. */
export type KeyOptions = { readonly id: string; readonly secret: KeySecret } | ({ readonly id: string } & PassphraseKey);

/**
 * Encrypts values and binds each to its key. Its place is below `envelope`, `compressed` and the codec: what is encrypted
 * does not shrink, and metadata, which this layer refuses, is sealed by an envelope above.
 *
 * Values are stored in chunks that are authenticated one by one, so that streams take little memory and a range decrypts
 * only what it touches. Nothing leaves this layer before it was authenticated. To use a new key put it first and call `rewrite`.
 */
export function encrypted(options: EncryptedOptions): ByteLayer {
  wipe(settle(options)); // what is wrong is told here; each storage has secrets of its own, and wipes them when it is closed
  return (inner) => new EncryptedStorage(inner, options);
}

/** What `encrypted()` makes, for `findLayer`. Its counters are in `details()`. */
export class EncryptedStorage extends TransformedStorage<EncryptedLayout> {
  readonly name = "encrypted";
  readonly #settings: Settings;
  readonly #ring: KeyRing;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #rewrapper: Rewrapper;

  constructor(inner: ByteStorage, options: EncryptedOptions) {
    super(inner, options.clock);
    this.#settings = settle(options);
    const wrapping = new Wrapping(this.#settings.context);
    this.#ring = new KeyRing(this.#settings.sources, this.#settings.current);
    this.#sealer = new Sealer(this.#ring, wrapping, this.#settings.suiteFor);
    this.#opener = new Opener(this.#ring, wrapping, () => this.#isLegacyTime());
    this.#rewrapper = new Rewrapper({ below: inner, ring: this.#ring, wrapping, sealer: this.#sealer, opener: this.#opener });
  }

  override get capabilities(): Capabilities {
    return { ...super.capabilities, metadata: false };
  }

  override details(): Details {
    const { suite, current, context, legacyUntil } = this.#settings;
    const legacy = legacyUntil === Number.NEGATIVE_INFINITY ? undefined : { until: new Date(legacyUntil).toISOString() };
    return {
      options: { keys: this.#ring.ids, current, suite, context: context === "" ? undefined : context, legacy },
      stats: { legacyReads: this.#opener.legacyReads },
    };
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      this.#ring.close();
    }
  }

  /**
   * Gives an entry the key that writes now: a new header, over the same ciphertext, and only over the version that was read.
   * A value from before this layer is encrypted, in the time of `legacy`. `rewrite` does it for all entries.
   *
   * @throws StorageError `unsupported` where what is below has no condition "replace", unless `offline` says that nobody else
   *   writes; `conflict` when others changed the entry again and again; and what a read of the header throws
   */
  rewrap(key: string, options: RewrapOptions = {}): Promise<Rewrapped> {
    return this.during("rewrap", () => this.#rewrapper.rewrap(key, options));
  }

  /** A range that begins behind the end also looks at the end: a value that was cut off must not pass as one that is over. */
  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.during("read", () => this.#read(key, options));
  }

  async #read(key: string, options: ReadOptions | undefined): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const entry = await super.read(key, options);
    const { start = 0, end, signal } = options ?? {};
    if (entry?.size === undefined || start === 0 || resolveRange(entry.size, start, end).start < entry.size) return entry;
    try {
      const last = await this.step(() => super.read(key, { start: -1, ifMatch: entry.etag, signal }));
      if (last !== undefined) for await (const _ of last.value);
      return entry;
    } catch (error) {
      cancelSource(entry.value, error);
      throw error;
    }
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    if (options?.metadata === undefined) return super.write(key, source, options);
    return writing(source, () => refuseAbility("metadata", this, "write"));
  }

  /** Enough for a value of one small chunk in one piece, so that a part of it is one inner read. */
  protected override get frontSize(): number {
    return storedSizeOf(chunksOf(64 * 1024, 16));
  }

  protected encode(value: Uint8Array, key: string, options: PutOptions | undefined): Bytes | Promise<Bytes> {
    if (options?.metadata !== undefined) refuseAbility("metadata", this, "put");
    return this.#sealer.whole(value, key, options?.signal);
  }

  protected encodeStream(chunks: AsyncIterable<Uint8Array>, key: string): AsyncIterable<Bytes> {
    return this.#sealer.stream(chunks, key);
  }

  protected decode(stored: Bytes, key: string, options: CallOptions | undefined): Bytes | Promise<Bytes> {
    return this.#opener.whole(stored, key, options?.signal);
  }

  protected layout(value: StoredValue): Promise<EncryptedLayout> {
    return this.#opener.layout(value);
  }

  protected decodeRange(layout: EncryptedLayout, value: StoredValue, start: number, end: number): AsyncIterable<Bytes> {
    return this.#opener.range(layout, value, start, end);
  }

  protected override storedSize(size: number): number {
    return storedSizeOf(chunksOf(size, chunkBitsFor(size)));
  }

  /** The size follows from the stored one. It is not authenticated. */
  protected override info(info: EntryInfo, value: StoredValue, layout?: EncryptedLayout): EntryInfo | Promise<EntryInfo> {
    const { size: stored } = info;
    if (layout !== undefined || stored === undefined || this.#isLegacyTime()) return described(info, undefined);
    const small = storedChunks(stored, 16);
    const large = storedChunks(stored, 20);
    // Around 1 MiB two values can take the same room. Their headers tell which it is.
    if (small !== undefined && large !== undefined) return this.#sizeByHeader(info, value);
    return described(info, (small ?? large)?.size);
  }

  async #sizeByHeader(info: EntryInfo, value: StoredValue): Promise<EntryInfo> {
    return described(info, (await this.#opener.layout(value)).size);
  }

  #isLegacyTime(): boolean {
    const { legacyUntil } = this.#settings;
    return legacyUntil !== Number.NEGATIVE_INFINITY && this.clock.now() < legacyUntil;
  }
}

/** What is known of an entry, with this size and without metadata: whatever is there below is not authenticated. */
function described({ key, etag, modifiedAt, expiresAt }: EntryInfo, size: number | undefined): EntryInfo {
  return {
    key,
    ...(size !== undefined && { size }),
    ...(etag !== undefined && { etag }),
    ...(modifiedAt !== undefined && { modifiedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
