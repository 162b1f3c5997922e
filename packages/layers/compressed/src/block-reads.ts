import { Damage } from "@stowage/core";
import type { ByteReader, Bytes } from "@stowage/core";
import {
  blockChecksum,
  blockHeaderSize,
  footerSize,
  indexEntrySize,
  makeTrailer,
  readBlockHeader,
  readFooter,
  trailerChecksum,
  uint32,
} from "./format.ts";
import type { BlockHeader, BlocksHeader } from "./format.ts";

/** A block as it is stored, its checksum verified. */
export interface StoredBlock {
  readonly header: BlockHeader;
  readonly payload: Bytes;
}

/** Where the blocks of a value are. */
export interface BlockIndex {
  /** Plain bytes of all blocks. */
  readonly length: number;
  /** Offsets of the blocks in the stored value, and the end of the last. */
  readonly offsets: Float64Array<ArrayBuffer>;
  readonly checksums: Uint32Array<ArrayBuffer>;
}

/** The index of a value from the last of its bytes; or, where they are too few, how many are needed. */
export function readIndex(header: BlocksHeader, end: Uint8Array, storedSize: number | undefined): BlockIndex | number {
  const footer = readFooter(end);
  if (footer === undefined) throw new Damage("it is too short");
  const { length, count } = footer;
  const size = count * indexEntrySize + footerSize;
  const smallest = header.bytes.byteLength + count * blockHeaderSize + size;
  const sensible = count > 0 && count === Math.ceil(length / header.blockSize) && smallest <= (storedSize ?? Number.POSITIVE_INFINITY);
  if (!sensible || length !== (header.length ?? length)) throw new Damage("its footer does not fit");
  if (size > end.byteLength) return size;

  const trailer = end.subarray(end.byteLength - size);
  if (trailerChecksum(header.bytes, trailer) !== footer.checksum) throw new Damage("its index does not have the checksum");
  const offsets = new Float64Array(count + 1);
  const checksums = new Uint32Array(count);
  let offset = header.bytes.byteLength;
  for (let index = 0; index < count; index++) {
    offsets[index] = offset;
    const storedLength = uint32(trailer, index * indexEntrySize);
    if (storedLength > header.blockSize) throw new Damage("its index does not make sense");
    offset += blockHeaderSize + storedLength;
    checksums[index] = uint32(trailer, index * indexEntrySize + 4);
  }
  offsets[count] = offset;
  if (offset + size !== (storedSize ?? offset + size)) throw new Damage("its index does not fit its size");
  return { length, offsets, checksums };
}

/** A block of a value, found by its index in bytes that begin at `offset` of the stored value. */
export function blockAt(bytes: Bytes, at: number, header: BlocksHeader, index: BlockIndex, offset = 0): StoredBlock {
  const start = (index.offsets[at] as number) - offset;
  const end = (index.offsets[at + 1] as number) - offset;
  const block = readBlockHeader(bytes.subarray(start, start + blockHeaderSize));
  const payload = bytes.subarray(start + blockHeaderSize, end);
  const last = at === index.checksums.length - 1;
  const length = last ? index.length - at * header.blockSize : header.blockSize;
  if (block?.checksum !== index.checksums[at] || block?.last !== last || block.length !== length)
    throw new Damage("a block does not fit the index");
  return checked(block, bytes.subarray(start, start + blockHeaderSize), payload, at, header);
}

/** The blocks from `first` up to `last`, read from where the first begins, each as the index says it is. */
export async function* indexedBlocks(
  reader: ByteReader,
  header: BlocksHeader,
  index: BlockIndex,
  first: number,
  last: number,
): AsyncGenerator<StoredBlock, void, void> {
  try {
    for (let at = first; at < last; at++) {
      const offset = index.offsets[at] as number;
      const bytes = await reader.take((index.offsets[at + 1] as number) - offset);
      yield blockAt(bytes, at, header, index, offset);
    }
  } finally {
    await reader.stop();
  }
}

/**
 * The blocks that lie between two plain offsets, read from the first block on without the index; the others are passed
 * over. Where the end of the value is reached, the index must say what was seen, and be the end.
 */
export async function* walkedBlocks(
  reader: ByteReader,
  header: BlocksHeader,
  start: number,
  end: number,
): AsyncGenerator<StoredBlock, void, void> {
  const seen: number[] = [];
  let length = 0;
  try {
    for (let at = 0, last = false; !last; at++) {
      if (at * header.blockSize >= end) return;
      const bytes = await reader.take(blockHeaderSize);
      const block = readBlockHeader(bytes);
      if (
        block === undefined ||
        block.length === 0 ||
        block.length > header.blockSize ||
        (!block.last && block.length < header.blockSize)
      ) {
        throw new Damage("a block does not make sense");
      }
      if (block.storedLength > block.length) throw new Damage("a block does not make sense");
      seen.push(block.storedLength, block.checksum);
      length += block.length;
      last = block.last;
      if ((at + 1) * header.blockSize > start) yield checked(block, bytes, await reader.take(block.storedLength), at, header);
      else if (!(await reader.skip(block.storedLength))) throw new Damage("it ends too early");
    }
    const expected = makeTrailer(header.bytes, seen, length);
    const found = await reader.take(expected.byteLength + 1);
    const same = found.byteLength === expected.byteLength && found.every((byte, at) => byte === expected[at]);
    if (!same || length !== (header.length ?? length)) throw new Damage("its end does not fit its blocks");
  } finally {
    await reader.stop();
  }
}

/** The block, where it is what its header says and where it should be. */
function checked(block: BlockHeader, bytes: Bytes, payload: Bytes, at: number, { blockSize }: BlocksHeader): StoredBlock {
  if (payload.byteLength !== block.storedLength) throw new Damage("it ends too early");
  if (block.index !== at || block.length > blockSize || block.storedLength > block.length) throw new Damage("a block does not make sense");
  if (blockChecksum(bytes, payload) !== block.checksum) throw new Damage("a block does not have the checksum");
  return { header: block, payload };
}
