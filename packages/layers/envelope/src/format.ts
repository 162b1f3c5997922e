import { crc32, Damage, headerOf, makeHeader as makeCommonHeader, newerFormat } from "@stowage/core";
import type { Bytes, Metadata, Unreadable } from "@stowage/core";
import { decodeMetadata, encodeMetadata } from "./metadata.ts";

/**
 * The bytes of format 1, as docs/formats.md describes them: a header, then blocks of the value, each with a checksum behind
 * it. All numbers are little-endian.
 *
 * The checksum behind a block is that of the header and of the value so far, so that each block can be checked alone, after
 * the four bytes before it, and yet none can come from another value or stand in another place. The one behind the last
 * block also has the length in it: where a value was cut off, it is another.
 */

/** What a header says. */
export interface Header {
  /** The bytes that it takes. */
  readonly size: number;
  /** Bytes of the value in each block but the last. */
  readonly blockSize: number;
  readonly expiresAt: number | undefined;
  readonly metadata: Metadata | undefined;
  /** Its own checksum, from which that of the first block goes on. */
  readonly checksum: number;
}

/** How a value begins: with a header of ours, or with something that is none and of no layer. */
export type Start = Header | "raw";

const name = "envelope";
const common: Bytes = makeCommonHeader(name, 1);
const magicSize = 4;

const flagsAt: number = common.byteLength;
const exponentAt: number = flagsAt + 1;
const lengthAt: number = exponentAt + 1;
const expiryAt: number = lengthAt + 2;

/** The part of a header that is as long in every one, before the metadata. */
const fixedSize: number = expiryAt + 8;
export const checksumSize = 4;

const expires = 1;

/** Powers of two that a block may have: version 1 writes 64 KiB, and reads 4 KiB to 16 MiB. */
const writtenExponent = 16;
const smallestExponent = 12;
const largestExponent = 24;

/** Bytes of the value in each block that is written, but the last. */
export const blockSize: number = 2 ** writtenExponent;

/** The header of a new value. */
export function makeHeader(expiresAt: number | undefined, metadata: Metadata | undefined): Bytes {
  if (expiresAt === undefined && metadata === undefined) return plainHeader;
  const pairs = metadata === undefined ? nothing : encodeMetadata(metadata);
  const header = new Uint8Array(fixedSize + pairs.byteLength + checksumSize);
  header.set(common);
  header[flagsAt] = expiresAt === undefined ? 0 : expires;
  header[exponentAt] = writtenExponent;
  header[lengthAt] = pairs.byteLength;
  header[lengthAt + 1] = pairs.byteLength >>> 8;
  new DataView(header.buffer).setFloat64(expiryAt, expiresAt ?? 0, true);
  header.set(pairs, fixedSize);
  const end = header.byteLength - checksumSize;
  setUint32(header, end, crc32(header.subarray(0, end)));
  return header;
}

/** The checksum at the end of a header. */
export const checksumOf = (header: Uint8Array): number => uint32(header, header.byteLength - checksumSize);

/**
 * The header at the start of stored bytes; where they are too few for it, how many it takes. What begins with the header of
 * another layer is `"raw"` too.
 *
 * @throws Unreadable
 */
export function readHeader(bytes: Uint8Array): Start | number {
  if (!isOurs(bytes)) return "raw";
  if (bytes.byteLength < fixedSize) return fixedSize;
  const end = fixedSize + ((bytes[lengthAt] as number) | ((bytes[lengthAt + 1] as number) << 8));
  const size = end + checksumSize;
  if (bytes.byteLength < size) return size;
  const checksum = uint32(bytes, end);
  if (crc32(bytes.subarray(0, end)) !== checksum) throw new Damage("its header does not have its checksum");
  const flags = bytes[flagsAt] as number;
  const exponent = bytes[exponentAt] as number;
  if (flags > expires) throw newer("flags");
  if (exponent < smallestExponent || exponent > largestExponent) throw newer("a block size");
  return {
    size,
    blockSize: 2 ** exponent,
    expiresAt: flags === expires ? expiryOf(bytes) : undefined,
    metadata: end === fixedSize ? undefined : decodeMetadata(bytes.subarray(fixedSize, end)),
    checksum,
  };
}

/** The stored bytes of a value of so many. */
export function storedSizeOf(headerSize: number, size: number): number {
  return headerSize + size + checksumSize * Math.max(Math.ceil(size / blockSize), 1);
}

/** The bytes of a value that takes so many with its header. */
export function plainSizeOf(header: Header, storedSize: number): number {
  const rest = storedSize - header.size;
  const blocks = Math.ceil(rest / (header.blockSize + checksumSize));
  const size = rest - blocks * checksumSize;
  if (blocks < 1 || (blocks === 1 ? size < 0 : size <= (blocks - 1) * header.blockSize)) throw new Damage("it was cut off");
  return size;
}

/** The checksum behind the last block of a value of `size` bytes, where the one of the bytes alone is `checksum`. */
export function lastChecksum(checksum: number, size: number): number {
  setUint32(lengthBytes, 0, size % 2 ** 32);
  setUint32(lengthBytes, 4, Math.floor(size / 2 ** 32));
  return crc32(lengthBytes, checksum);
}

export function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
  );
}

export function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Whether bytes begin as ours do, as far as they go. */
function isOurs(bytes: Uint8Array): boolean {
  for (let index = 0; index < common.byteLength; index++) {
    if (bytes[index] === common[index]) continue;
    if (index >= magicSize && index === bytes.byteLength) throw new Damage("it ends within its header");
    if (headerOf(bytes)?.layer === name) throw newer("a format");
    return false;
  }
  return true;
}

const newer = (what: string): Unreadable => newerFormat(what, "@stowage/envelope");

function expiryOf(bytes: Uint8Array): number {
  const expiresAt = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(expiryAt, true);
  if (Number.isFinite(expiresAt) && expiresAt > 0) return expiresAt;
  throw new Damage("its expiry does not make sense");
}

const nothing: Bytes = new Uint8Array(0);
const lengthBytes = new Uint8Array(8);

/** The header of every value without expiry and metadata. */
const plainHeader: Bytes = makeHeader(undefined, {});
