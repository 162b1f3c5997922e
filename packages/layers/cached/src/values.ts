import { copyBytes, copyValue, StorageError } from "@stowage/core";
import type { Settings } from "./options.ts";

/** How values are kept and handed out, by the option `values`. */
export interface Ownership {
  /** What the cache keeps of a value that it alone knows. */
  keep(value: unknown): unknown;
  /** What the cache keeps of a value that a caller has, or `undefined` where a later read might give something else. */
  keepOfCaller(value: unknown): { readonly value: unknown } | undefined;
  /** Whether everybody may get the very value that is kept. */
  isShared(value: unknown): boolean;
  /** A value for one caller, where it is not shared. */
  copy(value: unknown): unknown;
}

export function ownershipOf(values: Settings["values"], overBytes: boolean): Ownership {
  if (values === "frozen" && overBytes) {
    throw new StorageError("invalid-option", 'cached: bytes cannot be frozen; take values: "cloned" or "shared".', { storage: "cached" });
  }
  const keep = values === "frozen" ? freeze : (value: unknown): unknown => value;
  return {
    keep,
    keepOfCaller: (value) => (survivesCodec(value) ? { value: values === "shared" ? value : keep(copyOf(value)) } : undefined),
    isShared: values === "cloned" ? isPrimitive : () => true,
    copy: copyOf,
  };
}

const copyOf = (value: unknown): unknown => (value instanceof Uint8Array ? copyBytes(value) : copyValue(value));

const isPrimitive = (value: unknown): boolean => typeof value !== "object" || value === null;

/** Deeper values, and circles, are left to the next read. */
const deepest = 100;

/**
 * Whether a codec below gives back what it was given: text, numbers, plain objects and arrays of them. A Date would come
 * back from JSON as text, so a value with one is not cached as it was put; the next read loads what is really there.
 */
function survivesCodec(value: unknown, depth = 0): boolean {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value === "string" || typeof value === "boolean" || value === null || value instanceof Uint8Array) return true;
  if (typeof value !== "object" || depth > deepest) return false;
  const survives = (part: unknown): boolean => survivesCodec(part, depth + 1);
  if (Array.isArray(value)) return value.every(survives);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype && Object.values(value).every(survives);
}

/** What is inside an object that is frozen already is frozen too; bytes cannot be. */
function freeze(value: unknown): unknown {
  if (!isObject(value)) return value;
  const objects = new Set([value]);
  // The objects inside join the set while it is gone through.
  for (const object of objects) {
    Object.freeze(object);
    for (const part of Object.values(object)) if (isObject(part)) objects.add(part);
  }
  return value;
}

/**
 * Bytes that a value takes, roughly: two for each character, eight for a number, and some for every object
 * and name. An object that occurs twice, as in a circle, counts once.
 */
export function roughSize(value: unknown): number {
  if (!isObject(value)) return sizeOfPart(value);
  const objects = new Set([value]);
  let size = 0;
  // The objects inside join the set while it is gone through.
  for (const object of objects) {
    const isList = Array.isArray(object);
    size += isList ? 16 : 32;
    for (const [name, part] of isList ? object.entries() : Object.entries(object)) {
      if (!isList) size += 2 * (name as string).length;
      if (isObject(part)) objects.add(part);
      else size += sizeOfPart(part);
    }
  }
  return size;
}

/** Whether a value has parts of its own to look at. */
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !ArrayBuffer.isView(value);

function sizeOfPart(value: unknown): number {
  if (typeof value === "string") return 16 + 2 * value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 8;
}
