import { createHash } from "node:crypto";
import type { Bytes } from "@stowage/core";

/** Bytes of a value besides its filling: sequence number, length and SHA-256. */
const headerSize = 8 + 8 + 32;

/** A value that tells which write it came from and whether it is whole. */
export function makeValue(sequence: number, size: number): Bytes {
  const value = new Uint8Array(headerSize + size);
  const view = new DataView(value.buffer);
  view.setFloat64(0, sequence);
  view.setFloat64(8, size);
  let state = (sequence * 2_654_435_761 + 1) >>> 0;
  for (let index = headerSize; index < value.length; index++) {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    value[index] = state >>> 24;
  }
  value.set(digest(value.subarray(headerSize), sequence), 16);
  return value;
}

/** The sequence number of a whole value; throws what is wrong with a torn one. */
export function readValue(value: Uint8Array): number {
  if (value.byteLength < headerSize) throw new Error(`torn: ${value.byteLength} bytes are less than a header`);
  const view = new DataView(value.buffer, value.byteOffset);
  const sequence = view.getFloat64(0);
  const size = view.getFloat64(8);
  const filling = value.subarray(headerSize);
  if (filling.byteLength !== size) throw new Error(`torn: ${filling.byteLength} of ${size} bytes of write ${sequence}`);
  if (!digest(filling, sequence).equals(value.subarray(16, headerSize))) throw new Error(`torn: the bytes of write ${sequence} are mixed`);
  return sequence;
}

const digest = (filling: Uint8Array, sequence: number): Buffer => createHash("sha256").update(`${sequence}:`).update(filling).digest();
