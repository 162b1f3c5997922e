import type { Bytes } from "@stowage/core";
import { makeHeader } from "@stowage/core";
import { keyedHash, tagSize } from "./sodium.ts";

// The layout of docs/formats.md. Offsets in the header:

const commonHeader = makeHeader("encrypted", 1);
const suiteAt = commonHeader.byteLength;
const chunkBitsAt = suiteAt + 1;
const keyIdAt = chunkBitsAt + 1;
export const longestKeyId = 32;
const commitmentAt = keyIdAt + 1 + longestKeyId;
const commitmentSize = 32;
const nonceAt = commitmentAt + commitmentSize;
const nonceSize = 24;
const wrappedAt = nonceAt + nonceSize;
export const keySize = 32;
/** Bytes before the first chunk. */
export const headerSize: number = wrappedAt + keySize + tagSize;
/** Bytes after the last chunk. */
export const endSize = 4;

/** The number of a suite in the header. */
export type SuiteNumber = 1 | 2;
/** Chunks have 2^16 or 2^20 bytes. */
export type ChunkBits = 16 | 20;

/** The largest value in chunks of 64 KiB; larger ones have chunks of 1 MiB. */
export const largestInSmallChunks: number = 1024 * 1024;

/** The part of a header that is the same for all values under a key. */
export function makePrefix(suite: SuiteNumber, chunkBits: ChunkBits, keyId: Uint8Array, commitment: Uint8Array): Bytes {
  const prefix = new Uint8Array(nonceAt);
  prefix.set(commonHeader);
  prefix[suiteAt] = suite;
  prefix[chunkBitsAt] = chunkBits;
  prefix.set(keyId, keyIdAt);
  prefix.set(commitment, commitmentAt);
  return prefix;
}

/** Says nothing about the key, and is right for no other. */
export const commitmentOf = (key: Uint8Array): Bytes => keyedHash(commitmentText, key);
const commitmentText = new TextEncoder().encode("stowage encrypted key commitment");

/** The id of a key as it stands in a header. */
export function keyIdField(id: string): Bytes {
  const field = new Uint8Array(1 + longestKeyId);
  field[0] = id.length;
  new TextEncoder().encodeInto(id, field.subarray(1));
  return field;
}

/** Whether the value begins as this version writes it. */
export function isOurs(stored: Uint8Array): boolean {
  for (let index = 0; index < commonHeader.byteLength; index++) if (stored[index] !== commonHeader[index]) return false;
  return true;
}

/** Whether a value is shorter than the common header and begins as it does, by more than chance. */
export function isCutInHeader(stored: Uint8Array): boolean {
  return stored.byteLength >= 4 && stored.byteLength < commonHeader.byteLength && stored.every((byte, at) => byte === commonHeader[at]);
}

export function hasKeyId(header: Uint8Array, field: Uint8Array): boolean {
  for (let index = 0; index < field.byteLength; index++) if (header[keyIdAt + index] !== field[index]) return false;
  return true;
}

export const suiteOf = (header: Uint8Array): number => header[suiteAt] as number;
export const chunkBitsOf = (header: Uint8Array): number => header[chunkBitsAt] as number;
export const prefixOf = (header: Uint8Array): Uint8Array => header.subarray(0, nonceAt);
export const commitmentIn = (header: Uint8Array): Uint8Array => header.subarray(commitmentAt, nonceAt);
export const nonceIn = (header: Uint8Array): Uint8Array => header.subarray(nonceAt, wrappedAt);
export const wrappedIn = (header: Uint8Array): Uint8Array => header.subarray(wrappedAt, headerSize);

export const chunkBitsFor = (size: number): ChunkBits => (size <= largestInSmallChunks ? 16 : 20);

/** Where the chunks of a value are. */
export interface Chunks {
  /** Bytes of the plain value. */
  readonly size: number;
  readonly chunkSize: number;
  readonly count: number;
}

export function chunksOf(size: number, chunkBits: number): Chunks {
  const chunkSize = 2 ** chunkBits;
  return { size, chunkSize, count: Math.max(1, Math.ceil(size / chunkSize)) };
}

/** The chunks of a value by its stored size; `undefined` where nothing is stored in so many bytes. */
export function storedChunks(storedSize: number, chunkBits: number): Chunks | undefined {
  const body = storedSize - headerSize - endSize;
  const storedChunk = 2 ** chunkBits + tagSize;
  const chunks = chunksOf(body - Math.ceil(body / storedChunk) * tagSize, chunkBits);
  return chunks.size >= 0 && chunkBitsFor(chunks.size) === chunkBits && storedSizeOf(chunks) === storedSize ? chunks : undefined;
}

export const storedSizeOf = ({ size, count }: Chunks): number => headerSize + size + count * tagSize + endSize;

/** The offset of a chunk in the stored value. */
export const chunkAt = ({ chunkSize }: Chunks, index: number): number => headerSize + index * (chunkSize + tagSize);

/** Bytes of the plain chunk. */
export const sizeOfChunk = ({ size, chunkSize }: Chunks, index: number): number => Math.min(chunkSize, size - index * chunkSize);

/** Writes the last bytes of a stored value. */
export function writeEnd(target: Uint8Array, at: number, size: number): void {
  for (let index = 0; index < endSize; index++) target[at + index] = Math.floor(size / 2 ** (8 * index)) & 0xff;
}

export function isEnd(end: Uint8Array, at: number, size: number): boolean {
  for (let index = 0; index < endSize; index++) if (end[at + index] !== (Math.floor(size / 2 ** (8 * index)) & 0xff)) return false;
  return true;
}
