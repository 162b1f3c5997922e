import type { Bytes, EntryInfo, Metadata } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";

/** What a version of an entry is, beside its key and its bytes. */
export interface RecordVersion {
  readonly etag: string;
  readonly modifiedAt: number;
  readonly expiresAt?: number | undefined;
  readonly metadata?: Metadata | undefined;
}

/**
 * What stands before the value in a store that knows keys and bytes only, as LMDB and LevelDB. Numbers are big-endian.
 *
 * | bytes | what |
 * | --- | --- |
 * | 1 | the version of this format: 1 |
 * | 1 | 1: an expiry follows the times, 2: metadata follows; both may be set |
 * | 8 | when it was written, ms since the epoch, as a float |
 * | 8 | when it expires, as a float; if there is one |
 * | 1 + n | the length of the etag, and the etag in ASCII |
 * | 4 + n | the length of the metadata, and the metadata as JSON in UTF-8; if there is some |
 */
const format = 1;
const hasExpiry = 1;
const hasMetadata = 2;
const fixed = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A value with all that is known of its version before it. Small records lie side by side in memory that they share. */
export function packRecord({ etag, modifiedAt, expiresAt, metadata }: RecordVersion, value: Uint8Array): Bytes {
  const described = metadata === undefined ? undefined : encoder.encode(JSON.stringify(metadata));
  const head = fixed + (expiresAt === undefined ? 0 : 8) + 1 + etag.length + (described === undefined ? 0 : 4 + described.length);
  const size = head + value.byteLength;
  const { bytes, view, start } = roomFor(size);
  bytes[start] = format;
  bytes[start + 1] = (expiresAt === undefined ? 0 : hasExpiry) | (described === undefined ? 0 : hasMetadata);
  view.setFloat64(start + 2, modifiedAt);
  let at = start + fixed;
  if (expiresAt !== undefined) {
    view.setFloat64(at, expiresAt);
    at += 8;
  }
  bytes[at++] = etag.length;
  for (let index = 0; index < etag.length; index++) bytes[at++] = etag.charCodeAt(index);
  if (described !== undefined) {
    view.setUint32(at, described.length);
    bytes.set(described, at + 4);
  }
  bytes.set(value, start + head);
  return new Uint8Array(bytes.buffer, start, size);
}

/** When a record expires, before anything else is read of it; `undefined` for what is no record, which the rest refuses. */
export function expiryOf(record: Uint8Array): number | undefined {
  if (((record[1] ?? 0) & hasExpiry) === 0 || record[0] !== format || record.byteLength < fixed + 8) return undefined;
  return viewOf(record).getFloat64(fixed);
}

/**
 * Where the value of a record begins.
 *
 * @throws StorageError `corrupt`, `unsupported`
 */
export function valueStart(record: Uint8Array, storage: string, key: string): number {
  const flags = record[1] ?? 0;
  if (record[0] !== format || flags > (hasExpiry | hasMetadata)) throw unknownRecord(record, storage, key);
  const etagAt = fixed + ((flags & hasExpiry) === 0 ? 0 : 8);
  let start = etagAt + 1 + (record[etagAt] ?? 0);
  if ((flags & hasMetadata) !== 0) start += start + 4 <= record.byteLength ? 4 + viewOf(record).getUint32(start) : Infinity;
  if (start > record.byteLength) throw unknownRecord(record, storage, key);
  return start;
}

/**
 * What a record says of its entry.
 *
 * @throws StorageError `corrupt`, `unsupported`
 */
export function infoOfRecord(record: Uint8Array, storage: string, key: string): EntryInfo {
  const start = valueStart(record, storage, key);
  const view = viewOf(record);
  const flags = record[1]!;
  let at = fixed;
  const expiresAt = (flags & hasExpiry) === 0 ? undefined : view.getFloat64(at);
  if (expiresAt !== undefined) at += 8;
  const etag = String.fromCharCode(...record.subarray(at + 1, at + 1 + record[at]!));
  at += 1 + record[at]!;
  const metadata = (flags & hasMetadata) === 0 ? undefined : metadataOf(record.subarray(at + 4, start), storage, key);
  return {
    key,
    size: record.byteLength - start,
    etag,
    modifiedAt: view.getFloat64(2),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata }),
  };
}

function metadataOf(bytes: Uint8Array, storage: string, key: string): Metadata {
  let cause: unknown;
  try {
    const metadata: unknown = JSON.parse(decoder.decode(bytes));
    if (isMetadata(metadata)) return metadata;
  } catch (error) {
    cause = error;
  }
  throw new StorageError("corrupt", "The metadata in the record of the entry is damaged.", { storage, key, cause });
}

function isMetadata(value: unknown): value is Metadata {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((text) => typeof text === "string")
  );
}

function unknownRecord(record: Uint8Array, storage: string, key: string): StorageError {
  const [version = 0] = record;
  return version > format
    ? new StorageError("unsupported", `The record of the entry has version ${version}, and this package knows ${format}; update it.`, {
        storage,
        key,
      })
    : new StorageError("corrupt", "The record of the entry is damaged, or was put there by another program.", { storage, key });
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength);

/** Memory that records are packed into, from `start` on. */
interface Room {
  readonly bytes: Bytes;
  readonly view: DataView;
  start: number;
}

/** Bytes that small records share: to get memory takes longer than to fill it. */
const sharedSize: number = 64 * 1024;
const largestShared: number = sharedSize / 16;

let shared: Room | undefined;
let used = 0;

function roomFor(size: number): Room {
  if (size > largestShared) return makeRoom(size);
  if (shared === undefined || used + size > sharedSize) {
    shared = makeRoom(sharedSize);
    used = 0;
  }
  shared.start = used;
  used += size;
  return shared;
}

function makeRoom(size: number): Room {
  const bytes = new Uint8Array(size);
  return { bytes, view: viewOf(bytes), start: 0 };
}
