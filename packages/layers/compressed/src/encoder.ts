import { concatBytes, litter } from "@stowage/core";
import type { Bytes } from "@stowage/core";
import { blocksOf, inOrder } from "./blocks.ts";
import type { PlainBlock } from "./blocks.ts";
import { blockSize, checksumOf, makeBlockHeader, makeBlocksHeader, makePiece, makeTrailer } from "./format.ts";
import type { Settings, Stats } from "./settings.ts";

/** Makes stored values: one piece up to the size of a block, else blocks. */
export class Encoder {
  readonly #settings: Settings;
  readonly #stats: Stats;

  constructor(settings: Settings, stats: Stats) {
    this.#settings = settings;
    this.#stats = stats;
  }

  /** A value that is all there. */
  whole(value: Uint8Array, signal?: AbortSignal): Bytes | Promise<Bytes> {
    return value.byteLength <= blockSize ? this.#piece(value) : this.#collect(this.stream(once(value), value.byteLength), signal);
  }

  /** A value that comes in chunks. */
  async *stream(chunks: AsyncIterable<Uint8Array>, length: number | undefined): AsyncGenerator<Bytes, void, void> {
    const blocks = blocksOf(chunks, blockSize);
    try {
      const { value: first } = await blocks.next();
      if (first === undefined || first.last) yield await this.#piece(first?.bytes ?? new Uint8Array(0));
      else yield* this.#blocks(first, blocks, length);
    } finally {
      await blocks.return();
    }
  }

  async *#blocks(first: PlainBlock, others: AsyncIterable<PlainBlock>, length: number | undefined): AsyncGenerator<Bytes, void, void> {
    const header = makeBlocksHeader(length);
    this.#stats.encodedValues++;
    this.#stats.storedBytes += header.byteLength;
    yield header;
    const entries: number[] = [];
    let received = 0;
    const counted = async function* (): AsyncGenerator<PlainBlock, void, void> {
      received = first.bytes.byteLength;
      yield first;
      for await (const block of others) {
        received += block.bytes.byteLength;
        yield block;
      }
    };
    for await (const { header: blockHeader, payload } of inOrder(counted(), (plain) => this.#block(plain))) {
      entries.push(payload.byteLength, checksumOf(blockHeader));
      yield blockHeader;
      yield payload;
    }
    const trailer = makeTrailer(header, entries, received);
    this.#stats.storedBytes += trailer.byteLength;
    yield trailer;
  }

  #piece(value: Uint8Array): Bytes | Promise<Bytes> {
    const { codec, codecs, level } = this.#settings;
    this.#stats.encodedValues++;
    this.#stats.plainBytes += value.byteLength;
    if (this.#isSmall(value)) return this.#makePiece(value, value);
    const shrunk = codecs.compress(codec, value, level);
    return shrunk instanceof Promise ? shrunk.then((payload) => this.#makePiece(value, payload)) : this.#makePiece(value, shrunk);
  }

  #makePiece(value: Uint8Array, shrunk: Uint8Array): Bytes {
    const { codec } = this.#settings;
    const kept = this.#pays(value, shrunk);
    const piece = makePiece(kept ? codec : "none", value.byteLength, kept ? shrunk : value);
    this.#stats.storedBytes += piece.byteLength;
    return piece;
  }

  /** A block as two chunks, so that nothing large is copied. */
  async #block({ index, last, bytes, release }: PlainBlock): Promise<{ readonly header: Bytes; readonly payload: Bytes }> {
    const { codec, codecs, level } = this.#settings;
    const shrunk = this.#isSmall(bytes) ? bytes : await codecs.compress(codec, bytes, level);
    const kept = this.#pays(bytes, shrunk);
    if (kept) release();
    const payload = asPlain(kept ? shrunk : bytes);
    const header = makeBlockHeader({ index, last, length: bytes.byteLength }, kept ? codec : "none", payload);
    litter(bytes.byteLength);
    this.#stats.encodedBlocks++;
    this.#stats.plainBytes += bytes.byteLength;
    this.#stats.storedBytes += header.byteLength + payload.byteLength;
    return { header, payload };
  }

  #isSmall(value: Uint8Array): boolean {
    return value.byteLength === 0 || value.byteLength < this.#settings.minSize;
  }

  /** Whether the compressed form is so much smaller that it is worth decompressing it on every read. */
  #pays(value: Uint8Array, shrunk: Uint8Array): boolean {
    if (shrunk !== value && shrunk.byteLength < value.byteLength && shrunk.byteLength <= value.byteLength * (1 - this.#settings.minSaving))
      return true;
    this.#stats.storedPlain++;
    return false;
  }

  async #collect(chunks: AsyncIterable<Bytes>, signal: AbortSignal | undefined): Promise<Bytes> {
    const parts: Bytes[] = [];
    for await (const part of chunks) {
      signal?.throwIfAborted();
      parts.push(part);
    }
    return concatBytes(parts);
  }
}

async function* once(value: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield value;
}

/** The same bytes, of a `Buffer` too, as a plain view. */
function asPlain(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
