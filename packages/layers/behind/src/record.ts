import type { Bytes, Metadata } from "@stowage/core";
import { byteLength, concatBytes, crc32, headerOf, isKey, makeHeader, StorageError } from "@stowage/core";
import type { Draft, Write } from "./write.ts";

/** The name of a record: so many digits that names sort as their numbers do. */
export const nameOf = (sequence: number): string => String(sequence).padStart(16, "0");

const common: Bytes = makeHeader("behind", 1);
const typeAt = common.byteLength;
const flagsAt = typeAt + 1;
const keyLengthAt = flagsAt + 1;
const metadataLengthAt = keyLengthAt + 2;
const sequenceAt = metadataLengthAt + 4;
const modifiedAt = sequenceAt + 8;
const expiryAt = modifiedAt + 8;
const fixed = expiryAt + 8;

/** After the value: its length and the checksum of all before. */
export const trailerSize: number = 12;

const types = { put: 1, delete: 2 } as const;
const expires = 1;
const described = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What stands before the value in a record. `docs/formats.md` has the layout. */
export function packHeader(draft: Draft, sequence: number): Bytes {
  return packInto(draft, sequence, 0).bytes;
}

/** What stands after the value. `checksum` is that of the header and the value. */
export function packTrailer(size: number, checksum: number): Bytes {
  const trailer = new Uint8Array(trailerSize);
  putTrailer(trailer, size, checksum);
  return trailer;
}

/** A whole record, and the write that is in it, whose value shares its memory. */
export function packRecord(draft: Draft, sequence: number, value: Uint8Array): { readonly record: Bytes; readonly write: Write } {
  const { bytes: record, start } = packInto(draft, sequence, value.byteLength + trailerSize);
  const end = start + value.byteLength;
  record.set(value, start);
  const before = crc32(record.subarray(0, start));
  const checksum = crc32(value, before);
  putTrailer(record.subarray(end), value.byteLength, checksum);
  const place = { size: value.byteLength, start, before, checksum };
  return { record, write: { ...draft, sequence, value: record.subarray(start, end), ...place } };
}

/** A header, with room after it, which begins at `start`. */
function packInto(draft: Draft, sequence: number, room: number): { readonly bytes: Bytes; readonly start: number } {
  const keySize = byteLength(draft.key);
  const metadata = draft.metadata === undefined ? undefined : encoder.encode(JSON.stringify(draft.metadata));
  const metadataSize = metadata?.byteLength ?? 0;
  const end = fixed + keySize + metadataSize;
  const bytes = new Uint8Array(end + 4 + room);
  const view = new DataView(bytes.buffer);
  bytes.set(common);
  bytes[typeAt] = types[draft.type];
  bytes[flagsAt] = (draft.expiresAt === undefined ? 0 : expires) | (metadata === undefined ? 0 : described);
  view.setUint16(keyLengthAt, keySize, true);
  view.setUint32(metadataLengthAt, metadataSize, true);
  view.setBigUint64(sequenceAt, BigInt(sequence), true);
  view.setFloat64(modifiedAt, draft.modifiedAt, true);
  view.setFloat64(expiryAt, draft.expiresAt ?? 0, true);
  encoder.encodeInto(draft.key, bytes.subarray(fixed));
  if (metadata !== undefined) bytes.set(metadata, fixed + keySize);
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return { bytes, start: end + 4 };
}

function putTrailer(trailer: Uint8Array, size: number, checksum: number): void {
  const view = new DataView(trailer.buffer, trailer.byteOffset);
  view.setBigUint64(0, BigInt(size), true);
  view.setUint32(8, crc32(trailer.subarray(0, 8), checksum), true);
}

/** Reads a record chunk by chunk, keeping no more than its header: each step throws what is wrong with it. */
export class RecordReader {
  readonly #name: string;
  #header: Bytes = new Uint8Array(0);
  #tail: Bytes = new Uint8Array(0);
  #write: Write | undefined;
  #size = 0;
  #checksum = 0;

  constructor(name: string) {
    this.#name = name;
  }

  push(chunk: Uint8Array): void {
    if (this.#write !== undefined) return this.#body(chunk);
    this.#header = concatBytes([this.#header, chunk]);
    const size = this.#headerSize();
    if (size === undefined || this.#header.byteLength < size) return;
    this.#write = this.#unpack(this.#header.subarray(0, size));
    this.#checksum = this.#write.before;
    this.#body(this.#header.subarray(size));
    this.#header = new Uint8Array(0);
  }

  /** The write of the record that was read to its end, without its value. */
  end(): Write {
    const write = this.#write;
    const trailer = this.#tail;
    if (write === undefined || trailer.byteLength < trailerSize) throw damaged(this.#name, "it is too short");
    const expected = packTrailer(this.#size, this.#checksum);
    if (trailer.some((byte, index) => byte !== expected[index])) throw damaged(this.#name, "its length or its checksum is another");
    if (write.type === "delete" && this.#size > 0) throw damaged(this.#name, "it deletes and has a value");
    return { ...write, size: this.#size, checksum: this.#checksum };
  }

  #body(chunk: Uint8Array): void {
    const bytes = this.#tail.byteLength === 0 ? chunk : concatBytes([this.#tail, chunk]);
    const end = Math.max(bytes.byteLength - trailerSize, 0);
    this.#checksum = crc32(bytes.subarray(0, end), this.#checksum);
    this.#size += end;
    this.#tail = bytes.slice(end);
  }

  #headerSize(): number | undefined {
    const bytes = this.#header;
    const found = headerOf(bytes);
    const startsAlike = bytes.subarray(0, typeAt - 1).every((byte, index) => byte === common[index]);
    if (!startsAlike) throw damaged(this.#name, "it does not begin as a record does");
    if (found === undefined) return undefined;
    if (found.version !== 1) {
      const message = `The record ${this.#name} of the journal has version ${found.version}, which this package does not know; update it.`;
      throw new StorageError("unsupported", message, { storage: "behind" });
    }
    if (bytes.byteLength < fixed) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return fixed + view.getUint16(keyLengthAt, true) + view.getUint32(metadataLengthAt, true) + 4;
  }

  #unpack(header: Uint8Array): Write {
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const end = header.byteLength - 4;
    if (crc32(header.subarray(0, end)) !== view.getUint32(end, true)) throw damaged(this.#name, "the checksum of its header is another");
    const keyEnd = fixed + view.getUint16(keyLengthAt, true);
    const flags = header[flagsAt]!;
    const type = header[typeAt] === types.put ? "put" : "delete";
    const sequence = Number(view.getBigUint64(sequenceAt, true));
    if (nameOf(sequence) !== this.#name) throw damaged(this.#name, "it was written under another name");
    try {
      const key = decoder.decode(header.subarray(fixed, keyEnd));
      if (!isKey(key) || (type === "delete" && header[typeAt] !== types.delete) || flags > (expires | described)) {
        throw damaged(this.#name, "what it says makes no sense");
      }
      const metadata = (flags & described) === 0 ? undefined : (JSON.parse(decoder.decode(header.subarray(keyEnd, end))) as Metadata);
      const expiresAt = (flags & expires) === 0 ? undefined : view.getFloat64(expiryAt, true);
      const place = { size: 0, value: undefined, start: header.byteLength, before: crc32(header), checksum: 0 };
      return { type, key, sequence, modifiedAt: view.getFloat64(modifiedAt, true), expiresAt, metadata, ...place };
    } catch (cause) {
      throw StorageError.is(cause) ? cause : damaged(this.#name, "its text is none", cause);
    }
  }
}

/** What is wrong with a record, and what to do. */
export function damaged(name: string, problem: string, cause?: unknown): StorageError {
  const message = `The record ${name} of the journal is damaged: ${problem}. Restore it, or remove it to give that write up.`;
  return new StorageError("corrupt", message, { storage: "behind", cause });
}
