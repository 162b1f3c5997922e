import { ByteReader, Damage, forEachConcurrently, headerOf, missingLayer, newerFormat, Unreadable } from "@stowage/core";
import type { Bytes, Clock, StoredLayout, StoredValue } from "@stowage/core";
import { blockAt, indexedBlocks, readIndex, walkedBlocks } from "./block-reads.ts";
import type { BlockIndex, StoredBlock } from "./block-reads.ts";
import { inOrder, parallel } from "./blocks.ts";
import { blocksHeaderSize, codecNames, pieceChecksum, pieceHeaderSize, readHeader, startOf } from "./format.ts";
import type { BlocksHeader, PieceHeader } from "./format.ts";
import type { Settings, Stats } from "./settings.ts";
import { tooLarge } from "./too-large.ts";

/** What is known of a stored value: its header, or that it is from before this layer. */
export interface CompressedLayout extends StoredLayout {
  readonly header: PieceHeader | BlocksHeader | "raw";
  index?: BlockIndex;
}

/** The end of a value in blocks that is read first: the index of 8 GiB. */
const endSize = 64 * 1024;

/** Blocks of the largest index that is worth remembering. */
const rememberedBlocks = 8 * 1024;

/** Gives back the values that an `Encoder` made. */
export class Decoder {
  readonly #settings: Settings;
  readonly #stats: Stats;
  readonly #clock: Clock;
  /** Stored values in one piece, in the hands of one read, whose checksum is known to be right. */
  readonly #verified = new WeakSet<StoredValue>();

  constructor(settings: Settings, stats: Stats, clock: Clock) {
    this.#settings = settings;
    this.#stats = stats;
    this.#clock = clock;
  }

  /** The value of stored bytes that are all there. */
  whole(stored: Bytes, key: string, signal?: AbortSignal): Bytes | Promise<Bytes> {
    const { maxSize } = this.#settings;
    const header = this.#header(stored, key);
    if (header === "raw") {
      this.#stats.legacyReads++;
      return stored;
    }
    this.#stats.decodedValues++;
    if (header.shape === "blocks") return this.#wholeBlocks(stored, header, signal);
    if (pieceChecksum(stored) !== header.checksum) throw new Damage("it does not have its checksum");
    if (header.length > maxSize) throw tooLarge(this.#settings, "get");
    return this.#plain(header.codec, stored.subarray(pieceHeaderSize), header.length);
  }

  async layout(value: StoredValue): Promise<CompressedLayout> {
    const front = await value.bytes(0, blocksHeaderSize);
    const header = this.#header(front, value.key);
    if (header === "raw") return { header, size: value.info.size ?? (await value.bytes()).byteLength };
    if (header.shape === "piece") {
      await this.#verify(value, header);
      this.#checkStreamed(header.length);
      return { header, size: header.length, blockSize: Math.max(header.length, 1) };
    }
    const { blockSize, length } = header;
    if (length !== undefined) this.#checkStreamed(length);
    if (length !== undefined || !value.pinned) return { header, blockSize, size: length };
    const index = await this.#index(value, header);
    this.#checkStreamed(index.length);
    return index.checksums.length > rememberedBlocks
      ? { header, blockSize, size: index.length }
      : { header, blockSize, size: index.length, index };
  }

  async *range(layout: CompressedLayout, value: StoredValue, start: number, end: number): AsyncGenerator<Bytes, void, void> {
    const { header } = layout;
    if (header === "raw") {
      this.#checkLegacy();
      this.#stats.legacyReads++;
      for await (const chunk of value.stream(start, end)) yield chunk;
      return;
    }
    this.#stats.decodedValues++;
    if (header.shape === "piece") {
      await this.#verify(value, header);
      yield await this.#plain(header.codec, (await value.bytes()).subarray(pieceHeaderSize), header.length);
    } else {
      const blocks = await this.#blocks(layout, header, value, start, end);
      yield* inOrder(blocks, async (block) => {
        this.#checkStreamed(block.header.index * header.blockSize + block.header.length);
        return await this.#block(block);
      });
    }
  }

  /** Refuses a stream of a value that is larger than it may be, before it is decompressed. */
  #checkStreamed(length: number): void {
    if (length > this.#settings.maxStreamSize) throw tooLarge(this.#settings, "read");
  }

  /** The blocks of a range: those that the index names, or, where everything or one pass is wanted, those that come along. */
  async #blocks(
    layout: CompressedLayout,
    header: BlocksHeader,
    value: StoredValue,
    start: number,
    end: number,
  ): Promise<AsyncIterable<StoredBlock>> {
    const everything = start === 0 && end >= (layout.size ?? Number.POSITIVE_INFINITY);
    if (layout.index === undefined && (everything || !value.pinned)) {
      return walkedBlocks(new ByteReader(value.stream(blocksHeaderSize)), header, start, end);
    }
    const index = layout.index ?? (await this.#index(value, header));
    if (index.checksums.length <= rememberedBlocks) layout.index = index;
    const first = start / header.blockSize;
    const last = Math.ceil(end / header.blockSize);
    const stored = value.stream(index.offsets[first], index.offsets[last]);
    return indexedBlocks(new ByteReader(stored), header, index, first, last);
  }

  async #index(value: StoredValue, header: BlocksHeader): Promise<BlockIndex> {
    const found = readIndex(header, await value.bytes(-endSize), value.info.size);
    if (typeof found !== "number") return found;
    const again = readIndex(header, await value.bytes(-found), value.info.size);
    if (typeof again === "number") throw new Damage("it is shorter than its index");
    return again;
  }

  async #verify(value: StoredValue, header: PieceHeader): Promise<void> {
    if (this.#verified.has(value)) return;
    if (pieceChecksum(await value.bytes()) !== header.checksum) throw new Damage("it does not have its checksum");
    this.#verified.add(value);
  }

  async #wholeBlocks(stored: Bytes, header: BlocksHeader, signal: AbortSignal | undefined): Promise<Bytes> {
    const { maxSize } = this.#settings;
    const index = readIndex(header, stored, stored.byteLength);
    if (typeof index === "number") throw new Damage("it is shorter than its index");
    if (index.length > maxSize) throw tooLarge(this.#settings, "get");
    const whole = new Uint8Array(index.length);
    await forEachConcurrently(index.checksums.keys(), parallel, async (at) => {
      signal?.throwIfAborted();
      const block = await this.#block(blockAt(stored, at, header, index));
      whole.set(block, at * header.blockSize);
      block.buffer.transfer(0); // freed now, not by the garbage collector: the next block finds warm memory
    });
    return whole;
  }

  async #block({ header, payload }: StoredBlock): Promise<Bytes> {
    const block = await this.#plain(header.codec, payload, header.length);
    this.#stats.decodedBlocks++;
    return block;
  }

  /** The plain bytes of a payload, in memory of their own. */
  #plain(codec: number, payload: Bytes, length: number): Bytes | Promise<Bytes> {
    const name = codecNames[codec];
    if (name === undefined) throw newer(`the codec number ${codec}`);
    if (name !== "none") return this.#settings.codecs.decompress(name, payload, length);
    if (payload.byteLength !== length) throw new Damage("its length is not the one in its header");
    return payload.slice();
  }

  /** The header of a value; `"raw"` where it has none and may be without. */
  #header(front: Bytes, key: string): PieceHeader | BlocksHeader | "raw" {
    const start = startOf(front);
    if (start === "other version") throw newer("a format");
    if (start !== "other") {
      const header = start === "ours" ? readHeader(front) : undefined;
      if (header === undefined) throw new Damage("its header does not make sense");
      return header;
    }
    const found = headerOf(front);
    if (found !== undefined && !this.#isLegacyTime()) throw missingLayer(found, { storage: "compressed", key });
    this.#checkLegacy();
    return "raw";
  }

  #isLegacyTime(): boolean {
    return this.#clock.now() < this.#settings.legacyUntil;
  }

  /** Refuses a value without a header, unless the option allows it now. */
  #checkLegacy(): void {
    if (this.#isLegacyTime()) return;
    throw new Unreadable("corrupt", 'The value was not stored through this layer; the option legacy: "raw" gives values from before it.');
  }
}

const newer = (what: string): Unreadable => newerFormat(what, "@stowage/compressed");
