import { StorageError } from "./storage-error.ts";

/** The longest key, in UTF-8 bytes. */
export const maxKeySize = 1024;

/** A key of at most this many UTF-16 units cannot be over the limit: each takes at most three bytes. */
const surelyShort = Math.floor(maxKeySize / 3);

/** Refuses what is not a key: it must be a non-empty, well-formed string of at most 1024 UTF-8 bytes without NUL. */
export function checkKey(key: string, operation: string, storage: string): void {
  if (isKey(key)) return;
  throw new StorageError("invalid-key", `A key must be ${whatIsWrong(key)}.`, { operation, storage, key });
}

/** Refuses what is no array of keys. */
export function checkKeys(keys: readonly string[], operation: string, storage: string): void {
  if (!Array.isArray(keys)) throw new StorageError("invalid-key", `${operation} takes an array of keys.`, { operation, storage });
  for (const key of keys as readonly string[]) checkKey(key, operation, storage);
}

/** Whether something is a legal key. */
export function isKey(key: unknown): key is string {
  return (
    typeof key === "string" &&
    key !== "" &&
    !key.includes("\0") &&
    key.isWellFormed() &&
    (key.length <= surelyShort || byteLength(key) <= maxKeySize)
  );
}

/** Orders two keys by their UTF-8 bytes, which differs from the order of strings where surrogates are involved. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for code points above the rest, behind U+FFFF. */
const codePointRank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** The length of a well-formed string in UTF-8 bytes. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit <= 0xdfff) bytes += 2; // half of a pair, which takes four
    else bytes += 3;
  }
  return bytes;
}

function whatIsWrong(key: unknown): string {
  if (typeof key !== "string") return `a string, got ${key === null ? "null" : typeof key}`;
  if (key === "") return "a non-empty string";
  if (key.includes("\0")) return "free of NUL characters";
  if (!key.isWellFormed()) return "well-formed text, without lone surrogates";
  return `at most ${maxKeySize} bytes of UTF-8, got ${byteLength(key)}`;
}
