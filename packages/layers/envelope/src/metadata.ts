import type { Bytes, Metadata } from "@stowage/core";
import { concatBytes, Damage, isMetadataName, StorageError } from "@stowage/core";

/** Bytes that the names and values of one entry take at the most: its length is a number of two bytes. */
const maxMetadataSize = 0xffff;

/** Metadata as it stands in the header: for each name its length, itself, the length of the value, the value. */
export function encodeMetadata(metadata: Metadata): Bytes {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const pair of Object.entries(metadata)) {
    for (const text of pair) {
      const bytes = encoder.encode(text);
      parts.push(Uint8Array.of(bytes.byteLength, bytes.byteLength >>> 8), bytes);
      size += 2 + bytes.byteLength;
    }
  }
  if (size > maxMetadataSize) {
    throw new StorageError("too-large", `The metadata takes ${size} bytes, and an envelope has room for ${maxMetadataSize}.`);
  }
  return concatBytes(parts);
}

/** The metadata of a header whose checksum is right. */
export function decodeMetadata(bytes: Uint8Array): Metadata {
  const pairs = new Map<string, string>();
  let at = 0;
  const text = (): string => {
    const start = at + 2;
    const end = start + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
    if (end > bytes.byteLength) throw senseless();
    at = end;
    return decoder.decode(bytes.subarray(start, end));
  };
  try {
    while (at < bytes.byteLength) {
      const name = text();
      if (!isMetadataName(name) || pairs.has(name)) throw senseless();
      pairs.set(name, text());
    }
  } catch {
    throw senseless(); // also what is not UTF-8
  }
  return Object.fromEntries(pairs); // which takes "__proto__" for a name like any other
}

const senseless = (): Damage => new Damage("its metadata does not make sense");

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
