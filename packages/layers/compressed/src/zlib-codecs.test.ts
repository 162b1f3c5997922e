import { randomBytes } from "node:crypto";
import * as zlib from "node:zlib";
import type { Bytes } from "@stowage/core";
import { expect, test } from "vitest";
import { zlibCodec } from "./zlib-codecs.ts";

const { compress, decompress } = zlibCodec("zstd", zlib).pool!;

function textOf(size: number): Bytes {
  const text = new Uint8Array(size);
  for (let index = 0; index < size; index++) text[index] = ((index * index) >>> 7) & 63;
  return text;
}

test("a whole frame of zstd comes off the pool in memory of its own, whatever the width of its length", async () => {
  for (const size of [0, 1, 63, 64, 255, 256, 65_791, 65_792, 2 ** 20]) {
    for (const value of [textOf(size), new Uint8Array(size), new Uint8Array(randomBytes(size))]) {
      const plain = await decompress(await compress(value, 3), value.byteLength);
      expect(Buffer.compare(plain, value)).toBe(0);
      expect(plain.buffer.byteLength).toBe(plain.byteLength);
    }
  }
});

test("frames that say nothing of their length, have a window or no checksum are decompressed too", async () => {
  const value = textOf(300_000);
  const { ZSTD_c_contentSizeFlag, ZSTD_c_checksumFlag, ZSTD_c_windowLog } = zlib.constants;
  for (const params of [{ [ZSTD_c_contentSizeFlag]: 0 }, { [ZSTD_c_checksumFlag]: 0 }, { [ZSTD_c_windowLog]: 17 }]) {
    const plain = await decompress(zlib.zstdCompressSync(value, { params }), value.byteLength);
    expect(Buffer.compare(plain, value)).toBe(0);
  }
});

test("a frame that is cut off, changed anywhere, or followed by anything gives nothing", async () => {
  const value = textOf(300_000);
  const frame = await compress(value, 3);
  for (let size = 0; size < frame.byteLength; size += size < frame.byteLength - 20 ? 97 : 1) {
    await expect(decompress(frame.subarray(0, size), value.byteLength)).rejects.toThrow();
  }
  for (let at = 0; at < frame.byteLength; at += at < 20 || at > frame.byteLength - 20 ? 1 : 97) {
    const damaged = frame.slice();
    damaged[at]! ^= 0xff;
    await expect(decompress(damaged, value.byteLength)).rejects.toThrow();
  }
  for (const more of [new Uint8Array(1), frame]) {
    await expect(decompress(Buffer.concat([frame, more]), value.byteLength)).rejects.toThrow();
  }
  for (const length of [value.byteLength - 1, value.byteLength + 1]) await expect(decompress(frame, length)).rejects.toThrow();
});

test("a frame that says the expected length and holds another gives nothing", async () => {
  const value = textOf(300_000);
  for (const other of [-1, 1, 1000]) {
    const frame = await compress(value, 3);
    new DataView(frame.buffer).setUint32(5, value.byteLength + other, true);
    await expect(decompress(frame, value.byteLength + other)).rejects.toThrow();
  }
});
