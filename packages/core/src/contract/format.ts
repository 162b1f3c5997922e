import type { Bytes } from "./contract.ts";
import { StorageError } from "./storage-error.ts";

/** What the header at the start of stored bytes says. */
export interface FormatHeader {
  /** The name of the layer that wrote the value: `"compressed"`. */
  readonly layer: string;
  /** The version of that layer's format. A released version stays readable for ever. */
  readonly version: number;
  /** The bytes that this header takes; what follows it is the layer's own. */
  readonly size: number;
}

/** Where a header was met that nobody there expected. */
export interface FormatContext {
  readonly storage: string;
  readonly key?: string | undefined;
  readonly operation?: string | undefined;
}

/** The first bytes of every value that a layer wrote. No UTF-8 text starts with 0x89. */
const magic = [0x89, 0x53, 0x54, 0x57] as const; // then "STW"

/** Before the name: the magic and a byte with the length of the name. After it: a byte with the version. */
const beforeName = magic.length + 1;

const layerName = /^[a-z][a-z0-9-]{0,31}$/;

/** The header that a layer writes at the start of a value: the magic, the length of its name, its name, its format version. */
export function makeHeader(layer: string, version: number): Bytes {
  if (!layerName.test(layer))
    throw new StorageError("internal", "The name of a layer in a header is 1 to 32 lower-case letters, digits or dashes.");
  if (!Number.isInteger(version) || version < 0 || version > 255) throw new StorageError("internal", "A format version is one byte.");
  const header = new Uint8Array(beforeName + layer.length + 1);
  header.set(magic);
  header[magic.length] = layer.length;
  for (let index = 0; index < layer.length; index++) header[beforeName + index] = layer.charCodeAt(index);
  header[header.length - 1] = version;
  return header;
}

/** The header at the start of stored bytes, or `undefined` where there is none. */
export function headerOf(bytes: Uint8Array): FormatHeader | undefined {
  if (bytes[0] !== magic[0] || bytes[1] !== magic[1] || bytes[2] !== magic[2] || bytes[3] !== magic[3]) return undefined;
  const length = bytes[magic.length] ?? 0;
  const size = beforeName + length + 1;
  if (bytes.length < size) return undefined;
  const layer = String.fromCharCode(...bytes.subarray(beforeName, size - 1));
  return layerName.test(layer) ? { layer, version: bytes[size - 1] as number, size } : undefined;
}

/** The error of a layer or codec that meets a value which another layer wrote. */
export function missingLayer(found: FormatHeader, { storage, key, operation }: FormatContext): StorageError {
  const message = `This value was written through the layer "${found.layer}", which is missing below "${storage}"; put that layer below.`;
  return new StorageError("corrupt", message, { storage, key, operation });
}
