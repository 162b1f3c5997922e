import type { Bytes, EntryInfo, RecordVersion } from "@stowage/core";
import { copyBytes, infoOfRecord, packRecord, StorageError, valueStart } from "@stowage/core";
import { storageName } from "./errors.ts";

/** Bytes of one chunk, and of the largest value that is kept whole. */
export const chunkSize: number = 256 * 1024;

/**
 * What stands first where a value lies in chunks. Then come, numbers big-endian:
 *
 * | bytes | what |
 * | --- | --- |
 * | 2 + n | the length of the name of the body, and that name: a hash of chunks under "0", "1", ... |
 * | 8 | bytes of the value, as a float |
 * | 4 | bytes of a chunk |
 * | n | the record of core, without a value |
 *
 * Every other entry is a record of core, which begins with 1.
 */
const chunked = 0x43;

/** Where the value of an entry lies that is not kept whole. */
export interface Body {
  readonly name: string;
  readonly size: number;
  readonly chunkSize: number;
}

/** An entry with its value, as it is kept under one name. */
export function packWhole(version: RecordVersion, value: Uint8Array): Buffer {
  return asBuffer(packRecord(version, value));
}

/** An entry whose value lies in chunks. */
export function packReference(version: RecordVersion, body: Body): Buffer {
  const name = Buffer.from(body.name);
  const start = Buffer.alloc(3 + name.length + 12);
  start[0] = chunked;
  start.writeUInt16BE(name.length, 1);
  name.copy(start, 3);
  start.writeDoubleBE(body.size, 3 + name.length);
  start.writeUInt32BE(body.chunkSize, 11 + name.length);
  return Buffer.concat([start, packRecord(version, new Uint8Array(0))]);
}

/** Where the value lies, or `undefined` where it is in the entry itself. */
export function bodyOf(stored: Buffer, key: string): Body | undefined {
  if (stored[0] !== chunked) return undefined;
  const length = stored.length < 3 ? 0 : stored.readUInt16BE(1);
  if (stored.length < 15 + length) throw new StorageError("corrupt", "The entry is damaged.", { key, storage: storageName });
  return {
    name: stored.toString("utf8", 3, 3 + length),
    size: stored.readDoubleBE(3 + length),
    chunkSize: stored.readUInt32BE(11 + length),
  };
}

/** The value of an entry that is kept whole, in memory of its own. */
export function valueOf(stored: Buffer, key: string): Bytes {
  return copyBytes(stored.subarray(valueStart(stored, storageName, key)));
}

/**
 * What an entry says of itself.
 *
 * @param total bytes of the whole, where `stored` is only its beginning
 */
export function infoOf(stored: Buffer, key: string, total: number = stored.length): EntryInfo {
  const body = bodyOf(stored, key);
  if (body === undefined) {
    const info = infoOfRecord(stored, storageName, key);
    return total === stored.length ? info : { ...info, size: info.size! + total - stored.length };
  }
  const record = stored.subarray(15 + Buffer.byteLength(body.name));
  return { ...infoOfRecord(record, storageName, key), size: body.size };
}

/** The same memory, as the client wants it. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
