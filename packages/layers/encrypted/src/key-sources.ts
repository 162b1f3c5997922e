import { readFile } from "node:fs/promises";
import type { Bytes } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { keySize } from "./format.ts";
import { argon2id, saltSize } from "./sodium.ts";

/** Where the 32 bytes of a key are: base64 or hex in an environment variable or a file, without anything around them. */
export type SecretReference = { readonly fromEnv: string } | { readonly fromFile: string };

/** The 32 bytes of a key, where they are, or a function that gets them, from a key management service for example. */
export type KeySecret = Uint8Array | SecretReference | (() => Uint8Array | Promise<Uint8Array>);

/** A key that is computed from a passphrase by Argon2id. All of it belongs to the key: with another value it is another key. */
export interface PassphraseKey {
  readonly passphrase: string;
  /** 16 random bytes, or their base64 or hex. Not a secret. */
  readonly salt: Uint8Array | string;
  /** Bytes of memory that computing takes, 64 MiB to 1 GiB. @default 64 MiB */
  readonly memory?: number | undefined;
  /** Passes over the memory, 2 to 16. @default 3 */
  readonly passes?: number | undefined;
}

/** Where a key comes from: at once, or when it is first needed. */
export type KeySource = Bytes | (() => Promise<Bytes>);

const mebibyte = 2 ** 20;
export const memoryBounds: { readonly min: number; readonly max: number; readonly default: number } = {
  min: 64 * mebibyte,
  max: 1024 * mebibyte,
  default: 64 * mebibyte,
};
export const passesBounds: { readonly min: number; readonly max: number; readonly default: number } = { min: 2, max: 16, default: 3 };

/** Checks a secret, as far as that goes without I/O. What it answers is a copy: that of the caller stays the caller's. */
export function secretSource(secret: KeySecret, id: string): KeySource {
  if (secret instanceof Uint8Array) return keyBytes(secret, id);
  if (typeof secret === "function") return async () => keyBytes(await called(secret, id), id);
  if (typeof secret === "object" && secret !== null) {
    if ("fromEnv" in secret && isName(secret.fromEnv)) return async () => keyText(process.env[secret.fromEnv] ?? "", id);
    if ("fromFile" in secret && isName(secret.fromFile)) return async () => keyText(await fileText(secret.fromFile, id), id);
  }
  throw refusal(`the secret of the key ${quoted(id)} must be 32 bytes, { fromEnv }, { fromFile } or a function`);
}

/** Checks the parameters before anything is allocated; the key is computed when it is first needed. */
export function passphraseSource(options: PassphraseKey, id: string): KeySource {
  const { passphrase, salt, memory = memoryBounds.default, passes = passesBounds.default } = options;
  if (typeof passphrase !== "string" || passphrase === "") throw refusal(`the passphrase of the key ${quoted(id)} must be a text`);
  const saltBytes = typeof salt === "string" ? decoded(salt, saltSize) : salt instanceof Uint8Array ? new Uint8Array(salt) : undefined;
  if (saltBytes?.byteLength !== saltSize) throw refusal(`the salt of the key ${quoted(id)} must be 16 bytes, or their base64 or hex`);
  checkBounds("memory", memory, memoryBounds, id);
  checkBounds("passes", passes, passesBounds, id);
  return async () => {
    const text = new TextEncoder().encode(passphrase);
    try {
      return await argon2id(text, saltBytes, memory, passes);
    } catch (cause) {
      throw new StorageError("unavailable", `The key ${quoted(id)} could not be computed from its passphrase.`, {
        storage: "encrypted",
        cause,
      });
    } finally {
      text.fill(0);
    }
  };
}

export const quoted = (id: string): string => JSON.stringify(id);

export function refusal(what: string): StorageError {
  return new StorageError("invalid-option", `In the options of encrypted, ${what}.`, { storage: "encrypted" });
}

/** A copy of a key. */
function keyBytes(bytes: unknown, id: string): Bytes {
  if (!(bytes instanceof Uint8Array) || bytes.byteLength !== keySize)
    throw refusal(`the secret of the key ${quoted(id)} must have 32 bytes`);
  if (bytes.every((byte) => byte === 0)) throw refusal(`the secret of the key ${quoted(id)} is all zeros, as a key is that was wiped`);
  return new Uint8Array(bytes);
}

function keyText(text: string, id: string): Bytes {
  const bytes = decoded(text.replace(/\r?\n$/, ""), keySize);
  if (bytes === undefined)
    throw refusal(`the secret of the key ${quoted(id)} must be base64 or hex of exactly 32 bytes, without anything around it`);
  try {
    return keyBytes(bytes, id);
  } finally {
    bytes.fill(0);
  }
}

/** Exactly so many bytes, of base64 (also that of URLs) or hex. */
function decoded(text: string, size: number): Bytes | undefined {
  const isHex = text.length === 2 * size && /^[0-9a-fA-F]*$/.test(text);
  if (!isHex && !/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/.test(text)) return undefined;
  const bytes = new Uint8Array(Buffer.from(text, isHex ? "hex" : "base64"));
  return bytes.byteLength === size ? bytes : undefined;
}

async function called(secret: () => Uint8Array | Promise<Uint8Array>, id: string): Promise<Uint8Array> {
  try {
    return await secret();
  } catch (error) {
    if (StorageError.is(error)) throw error;
    throw new StorageError("unavailable", `The function that gets the key ${quoted(id)} failed.`, { storage: "encrypted", cause: error });
  }
}

async function fileText(path: string, id: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new StorageError("unavailable", `The file of the key ${quoted(id)} cannot be read.`, { storage: "encrypted", cause });
  }
}

function checkBounds(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }, id: string): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw refusal(`${name} of the key ${quoted(id)} must be a whole number from ${min} to ${max}`);
}

const isName = (text: unknown): text is string => typeof text === "string" && text !== "";
