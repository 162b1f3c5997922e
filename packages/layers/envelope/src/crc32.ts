import type * as zlib from "node:zlib";

/** CRC-32 as in gzip and PNG. Continues from `before`. */
export type Checksum = (bytes: Uint8Array, before?: number) => number;

/** Bytes from which calling out of JavaScript is faster. */
const worthwhile = 512;

/** In JavaScript alone, for runtimes without `node:zlib`: eight bytes in one step, each through a table of its own. */
export function portableCrc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      step(7, low) ^
      step(6, low >>> 8) ^
      step(5, low >>> 16) ^
      step(4, low >>> 24) ^
      step(3, byte(bytes, at + 4)) ^
      step(2, byte(bytes, at + 5)) ^
      step(1, byte(bytes, at + 6)) ^
      step(0, byte(bytes, at + 7));
  }
  for (; at < bytes.length; at++) crc = step(0, crc ^ byte(bytes, at)) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The faster of the two for so many bytes; both give the same. */
export const crc32: Checksum = (bytes, before) =>
  native !== undefined && bytes.length >= worthwhile ? native(bytes, before) : portableCrc32(bytes, before);

/** Where a byte ends up after so many further bytes, for each of the eight places in a step. */
const tables: Int32Array = makeTables();

const step = (place: number, value: number): number => tables[(place << 8) | (value & 0xff)] as number;
const byte = (bytes: Uint8Array, at: number): number => bytes[at] as number;

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let value = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    made[value] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number;
    made[at] = (made[before & 0xff] as number) ^ (before >>> 8);
  }
  return made;
}

/** That of `node:zlib`, without an import that a browser would stumble over. */
const native: Checksum | undefined = findZlib()?.crc32;

function findZlib(): typeof zlib | undefined {
  const { process } = globalThis as { process?: Partial<NodeJS.Process> };
  return process?.getBuiltinModule?.("node:zlib");
}
