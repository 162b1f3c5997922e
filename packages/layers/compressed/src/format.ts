import { crc32, headerOf, makeHeader } from "@stowage/core";
import type { Bytes } from "@stowage/core";

/**
 * The bytes of format 1, as docs/formats.md describes them. All numbers are little-endian.
 *
 * A value of one piece is a header and its payload. A value in blocks is a header, blocks that each have a header of their
 * own, an index and a footer.
 */

/** The codecs of payloads, at the place of their number in the format. */
export const codecNames = ["none", "zstd", "gzip", "brotli"] as const;
export type StoredCodec = (typeof codecNames)[number];

/** The plain bytes that one piece holds at the most, and those of each block but the last. */
export const blockSize: number = 1024 * 1024;

/** The largest blocks that are read, whoever wrote them. */
const largestBlock = 16 * blockSize;

const name = "compressed";
const version = 1;
const common: Bytes = makeHeader(name, version);
const magicSize = 4;

export const pieceHeaderSize: number = common.byteLength + 10;
export const blocksHeaderSize: number = common.byteLength + 18;
export const blockHeaderSize = 18;
export const indexEntrySize = 8;
export const footerSize = 16;

/** What the plain length says where the writer did not know it. */
const unknownLength = 0xffff_ffff;

export interface PieceHeader {
  readonly shape: "piece";
  /** The number of the codec, which need not be one that is known. */
  readonly codec: number;
  /** Plain bytes. */
  readonly length: number;
  readonly checksum: number;
}

export interface BlocksHeader {
  readonly shape: "blocks";
  /** The header itself, which the checksum at the end covers. */
  readonly bytes: Bytes;
  readonly blockSize: number;
  /** Plain bytes of all blocks; `undefined` where the writer did not know. */
  readonly length: number | undefined;
}

export interface BlockHeader {
  readonly index: number;
  readonly codec: number;
  readonly last: boolean;
  /** Plain bytes. */
  readonly length: number;
  readonly storedLength: number;
  readonly checksum: number;
}

/** What the end of a value in blocks says. */
export interface Footer {
  readonly length: number;
  readonly count: number;
  readonly checksum: number;
}

/** How a value begins: with a header of ours, with one of another version or one that is cut off, with that of another layer, or with none. */
export type Start = "ours" | "other version" | "damaged" | "other";

/** Tells how a value begins, without allocating where it is ours. */
export function startOf(bytes: Uint8Array): Start {
  for (let index = 0; index < common.byteLength; index++) {
    if (bytes[index] === common[index]) continue;
    if (index >= magicSize && index === bytes.byteLength) return "damaged";
    return headerOf(bytes)?.layer === name ? "other version" : "other";
  }
  return bytes.byteLength > common.byteLength ? "ours" : "damaged";
}

/** The header of a value that starts with ours; `undefined` where it is cut off or makes no sense. */
export function readHeader(bytes: Bytes): PieceHeader | BlocksHeader | undefined {
  const at = common.byteLength;
  if (bytes[at] === 0 && bytes.byteLength >= pieceHeaderSize) {
    const length = uint32(bytes, at + 2);
    if (length > largestBlock) return undefined;
    return { shape: "piece", codec: bytes[at + 1] as number, length, checksum: uint32(bytes, at + 6) };
  }
  if (bytes[at] === 1 && bytes.byteLength >= blocksHeaderSize) {
    if (crc32(bytes.subarray(0, blocksHeaderSize - 4)) !== uint32(bytes, blocksHeaderSize - 4)) return undefined;
    const size = uint32(bytes, at + 2);
    if (size === 0 || size > largestBlock || bytes[at + 1] !== 0) return undefined;
    const unknown = uint32(bytes, at + 6) === unknownLength && uint32(bytes, at + 10) === unknownLength;
    return {
      shape: "blocks",
      bytes: bytes.slice(0, blocksHeaderSize),
      blockSize: size,
      length: unknown ? undefined : uint64(bytes, at + 6),
    };
  }
  return undefined;
}

/** A value of one piece. The payload is copied. */
export function makePiece(codec: StoredCodec, length: number, payload: Uint8Array): Bytes {
  const piece = new Uint8Array(pieceHeaderSize + payload.byteLength);
  const at = common.byteLength;
  piece.set(common);
  piece[at + 1] = codecNames.indexOf(codec);
  setUint32(piece, at + 2, length);
  piece.set(payload, pieceHeaderSize);
  setUint32(piece, at + 6, pieceChecksum(piece));
  return piece;
}

/** The checksum that a piece should have: over its header and its payload. */
export function pieceChecksum(piece: Uint8Array): number {
  return crc32(piece.subarray(pieceHeaderSize), crc32(piece.subarray(0, pieceHeaderSize - 4)));
}

/** The start of a value in blocks. */
export function makeBlocksHeader(length: number | undefined): Bytes {
  const header = new Uint8Array(blocksHeaderSize);
  const at = common.byteLength;
  header.set(common);
  header[at] = 1;
  setUint32(header, at + 2, blockSize);
  if (length === undefined) header.fill(0xff, at + 6, at + 14);
  else setUint64(header, at + 6, length);
  setUint32(header, blocksHeaderSize - 4, crc32(header.subarray(0, blocksHeaderSize - 4)));
  return header;
}

/** The header of a block. */
export function makeBlockHeader(
  { index, last, length }: Pick<BlockHeader, "index" | "last" | "length">,
  codec: StoredCodec,
  payload: Uint8Array,
): Bytes {
  const header = new Uint8Array(blockHeaderSize);
  setUint32(header, 0, index);
  header[4] = codecNames.indexOf(codec);
  header[5] = last ? 1 : 0;
  setUint32(header, 6, length);
  setUint32(header, 10, payload.byteLength);
  setUint32(header, 14, blockChecksum(header, payload));
  return header;
}

/** The header of a block; `undefined` where it makes no sense. */
export function readBlockHeader(bytes: Uint8Array): BlockHeader | undefined {
  const flags = bytes[5] as number;
  if (bytes.byteLength < blockHeaderSize || flags > 1) return undefined;
  return {
    index: uint32(bytes, 0),
    codec: bytes[4] as number,
    last: flags === 1,
    length: uint32(bytes, 6),
    storedLength: uint32(bytes, 10),
    checksum: uint32(bytes, 14),
  };
}

/** The checksum that the header of a block says. */
export const checksumOf = (header: Uint8Array): number => uint32(header, 14);

/** The checksum that a block should have: over its header and its payload. */
export function blockChecksum(header: Uint8Array, payload: Uint8Array): number {
  return crc32(payload, crc32(header.subarray(0, blockHeaderSize - 4)));
}

/** The index over all blocks, and the footer. `entries` are the stored length and the checksum of each block, one after the other. */
export function makeTrailer(header: Uint8Array, entries: readonly number[], length: number): Bytes {
  const trailer = new Uint8Array(entries.length * 4 + footerSize);
  for (const [index, entry] of entries.entries()) setUint32(trailer, index * 4, entry);
  setUint64(trailer, trailer.byteLength - 16, length);
  setUint32(trailer, trailer.byteLength - 8, entries.length / 2);
  setUint32(trailer, trailer.byteLength - 4, trailerChecksum(header, trailer));
  return trailer;
}

/** The footer at the end of the bytes. */
export function readFooter(bytes: Uint8Array): Footer | undefined {
  const end = bytes.byteLength;
  if (end < footerSize) return undefined;
  return { length: uint64(bytes, end - 16), count: uint32(bytes, end - 8), checksum: uint32(bytes, end - 4) };
}

/** The checksum that a trailer should have: over the header of the value, the index and the footer. */
export function trailerChecksum(header: Uint8Array, trailer: Uint8Array): number {
  return crc32(trailer.subarray(0, trailer.byteLength - 4), crc32(header));
}

export function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
  );
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

const uint64 = (bytes: Uint8Array, at: number): number => uint32(bytes, at) + uint32(bytes, at + 4) * 2 ** 32;

function setUint64(bytes: Uint8Array, at: number, value: number): void {
  setUint32(bytes, at, value % 2 ** 32);
  setUint32(bytes, at + 4, Math.floor(value / 2 ** 32));
}
