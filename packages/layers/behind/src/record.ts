import type { Bytes, Metadata } from "@stowage/core";
import { crc32, headerOf, isKey, makeHeader, StorageError } from "@stowage/core";

/** A write as the journal keeps it. `value` is `undefined` where the key is deleted. */
export interface Write {
  /** Later writes have higher ones. */
  readonly sequence: number;
  readonly key: string;
  readonly value: Bytes | undefined;
  readonly metadata: Metadata | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

/** The name of a record: so many digits that names sort as their numbers do. */
export const nameOf = (sequence: number): string => String(sequence).padStart(16, "0");

const layer = "behind";
const common = makeHeader(layer, 1);
const flagsAt = common.byteLength;
const sequenceAt = flagsAt + 1;
const expiryAt = sequenceAt + 8;
const keyLengthAt = expiryAt + 8;
const metadataLengthAt = keyLengthAt + 4;
const valueLengthAt = metadataLengthAt + 4;
const fixedSize = valueLengthAt + 8;
const checksumSize = 4;

const isPut = 1;
const expires = 2;
const hasMetadata = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The record of a write, as docs/write-behind.md describes it, and the value inside it, which shares its memory. */
export function encodeRecord(write: Write): Bytes {
  const key = encoder.encode(write.key);
  const metadata = write.metadata === undefined ? new Uint8Array(0) : encoder.encode(JSON.stringify(write.metadata));
  const value = write.value ?? new Uint8Array(0);
  const record = new Uint8Array(fixedSize + key.byteLength + metadata.byteLength + value.byteLength + checksumSize);
  const view = new DataView(record.buffer);
  record.set(common);
  record[flagsAt] =
    (write.value === undefined ? 0 : isPut) |
    (write.expiresAt === undefined ? 0 : expires) |
    (write.metadata === undefined ? 0 : hasMetadata);
  view.setBigUint64(sequenceAt, BigInt(write.sequence), true);
  view.setFloat64(expiryAt, write.expiresAt ?? 0, true);
  view.setUint32(keyLengthAt, key.byteLength, true);
  view.setUint32(metadataLengthAt, metadata.byteLength, true);
  view.setBigUint64(valueLengthAt, BigInt(value.byteLength), true);
  record.set(key, fixedSize);
  record.set(metadata, fixedSize + key.byteLength);
  record.set(value, fixedSize + key.byteLength + metadata.byteLength);
  const end = record.byteLength - checksumSize;
  view.setUint32(end, crc32(record.subarray(0, end)), true);
  return record;
}

/** The write in a record. Throws `corrupt`, which names the record, where anything in it is not as it was written. */
export function decodeRecord(name: string, record: Bytes): Write {
  const header = headerOf(record);
  if (header?.layer !== layer) throw damaged(name, "it does not begin as a record does");
  if (header.version !== 1) {
    throw new StorageError(
      "unsupported",
      `The journal record ${name} has the format ${header.version}; a newer version of this package reads it.`,
      {
        storage: layer,
      },
    );
  }
  if (record.byteLength < fixedSize + checksumSize) throw damaged(name, "it is too short");
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const end = record.byteLength - checksumSize;
  if (crc32(record.subarray(0, end)) !== view.getUint32(end, true)) throw damaged(name, "its checksum is another");
  const flags = record[flagsAt] as number;
  const keyEnd = fixedSize + view.getUint32(keyLengthAt, true);
  const metadataEnd = keyEnd + view.getUint32(metadataLengthAt, true);
  if (metadataEnd + Number(view.getBigUint64(valueLengthAt, true)) !== end) throw damaged(name, "its lengths do not add up");
  const sequence = Number(view.getBigUint64(sequenceAt, true));
  if (nameOf(sequence) !== name) throw damaged(name, "it was written under another name");
  try {
    const key = decoder.decode(record.subarray(fixedSize, keyEnd));
    if (!isKey(key)) throw damaged(name, "its key is none");
    return {
      sequence,
      key,
      value: (flags & isPut) === 0 ? undefined : record.slice(metadataEnd, end),
      metadata: (flags & hasMetadata) === 0 ? undefined : (JSON.parse(decoder.decode(record.subarray(keyEnd, metadataEnd))) as Metadata),
      expiresAt: (flags & expires) === 0 ? undefined : view.getFloat64(expiryAt, true),
    };
  } catch (cause) {
    throw StorageError.is(cause) ? cause : damaged(name, "its text is none", cause);
  }
}

/** What is wrong with a record, and what to do. */
export function damaged(name: string, problem: string, cause?: unknown): StorageError {
  const message = `The journal record ${JSON.stringify(name.slice(0, 40))} is damaged: ${problem}. Restore it, or remove it from the journal to give that write up.`;
  return new StorageError("corrupt", message, { storage: layer, cause });
}
