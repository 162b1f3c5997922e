import type { Bytes } from "@stowage/core";

/** Where every replica keeps what it knows of deletes. Callers never see it. */
export const tombstonePrefix = "stowage-deleted/";

/** Sorts after every tombstone and before every other key. */
export const afterTombstones = "stowage-deleted/g";

/** The key of the tombstone of a key. Its value is that key, and its metadata the version of the delete. */
export function tombstoneKeyOf(key: string): string | Promise<string> {
  return hashNow === undefined ? hashLater(key) : tombstonePrefix + hashNow("sha256", key, "hex");
}

export function isTombstoneKey(key: string): boolean {
  return key.startsWith(tombstonePrefix);
}

export function tombstoneValue(key: string): Bytes {
  return new TextEncoder().encode(key);
}

/** The key that a tombstone is about; `undefined` where the two do not belong together. */
export async function keyOfTombstone(tombstoneKey: string, value: Uint8Array): Promise<string | undefined> {
  const key = new TextDecoder().decode(value);
  return (await tombstoneKeyOf(key)) === tombstoneKey ? key : undefined;
}

/** The hash of Node, which takes a microsecond. Elsewhere the one of the platform is asked, which answers later. */
const hashNow = globalThis.process?.getBuiltinModule?.("node:crypto")?.hash;

async function hashLater(key: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return tombstonePrefix + Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
