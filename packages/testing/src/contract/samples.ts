import type { Bytes } from "@stowage/core";

const encoder = new TextEncoder();

/** Text as plain bytes. */
export const text = (content: string): Bytes => encoder.encode(content);

/** Bytes that do not repeat in any short pattern, the same for the same seed. */
export function bytesOf(size: number, seed = 1): Bytes {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer).slice(0, size);
}

/** Every byte value once. */
export const everyByte: Bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

/** What is put where nobody says otherwise. */
export const sampleBytes: readonly Bytes[] = [text("first"), text("the second one"), everyByte];

/** A copy that shares nothing. What cannot be copied cannot be changed by accident either. */
export function copyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice();
  if (typeof value !== "object" || value === null) return value;
  try {
    const copy: unknown = structuredClone(value);
    return Object.getPrototypeOf(copy) === Object.getPrototypeOf(value) ? copy : value;
  } catch {
    return value;
  }
}

/** Changes a value in place, as a caller may; a value that cannot be changed stays as it is. */
export function damage(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0xee);
  else if (Array.isArray(value)) value.push("damaged");
  else if (value instanceof Map) value.set("damaged", true);
  else if (value instanceof Set) value.add("damaged");
  else if (value instanceof Date) value.setTime(0);
  else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) damage(inner);
    Reflect.set(value, "damaged", true);
  }
}
