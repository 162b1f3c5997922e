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

/**
 * Whether a codec below gives back what it was given: text, numbers, plain objects and arrays of them. A Date would come
 * back from JSON as text, so a value with one is not cached as it was put; the next read loads what is really there.
 */
function survivesCodec(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value === "string" || typeof value === "boolean" || value === null || value instanceof Uint8Array) return true;
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.every(survivesCodec);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype && Object.values(value).every(survivesCodec);
}

function freeze(value: unknown): unknown {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}

/** Bytes that a value takes, roughly: two for each character, eight for a number, and some for every object and name. */
export function roughSize(value: unknown): number {
  switch (typeof value) {
    case "string":
      return 16 + 2 * value.length;
    case "object":
      if (value === null) return 8;
      if (ArrayBuffer.isView(value)) return value.byteLength;
      if (Array.isArray(value)) return value.reduce<number>((sum, part) => sum + roughSize(part), 16);
      return Object.entries(value).reduce((sum, [name, part]) => sum + 2 * name.length + roughSize(part), 32);
    default:
      return 8;
  }
}
