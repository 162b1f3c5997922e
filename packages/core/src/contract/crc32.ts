type Checksum = (bytes: Uint8Array, before?: number) => number;

/** Bytes from which calling out of JavaScript is faster. */
const worthwhile = 512;

/** CRC-32 as in gzip and PNG, by `node:zlib` where there is one and it is faster. Continues from `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  return bytes.length < worthwhile ? portableCrc32(bytes, before) : (native ??= findZlib()?.crc32 ?? portableCrc32)(bytes, before);
}

/** In JavaScript alone: eight bytes in one step, each through a table of its own. */
export function portableCrc32(bytes: Uint8Array, before = 0): number {
  const table = (tables ??= makeTables());
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      step(table, 7, low) ^
      step(table, 6, low >>> 8) ^
      step(table, 5, low >>> 16) ^
      step(table, 4, low >>> 24) ^
      step(table, 3, byte(bytes, at + 4)) ^
      step(table, 2, byte(bytes, at + 5)) ^
      step(table, 1, byte(bytes, at + 6)) ^
      step(table, 0, byte(bytes, at + 7));
  }
  for (; at < bytes.length; at++) crc = step(table, 0, crc ^ byte(bytes, at)) ^ (crc >>> 8);
  return ~crc >>> 0;
}

// Both are made when they are first needed: importing core takes no time for them.
let native: Checksum | undefined;
let tables: Int32Array | undefined;

/** Where a byte ends up after so many further bytes, for each of the eight places in a step. */
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

const step = (table: Int32Array, place: number, value: number): number => table[(place << 8) | (value & 0xff)] as number;
const byte = (bytes: Uint8Array, at: number): number => bytes[at] as number;

/** Without an import that a browser would stumble over. */
function findZlib(): { readonly crc32: Checksum } | undefined {
  const { process } = globalThis as { process?: Partial<NodeJS.Process> };
  return process?.getBuiltinModule?.("node:zlib");
}
