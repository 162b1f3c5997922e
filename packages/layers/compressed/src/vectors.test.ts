import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { brotliDecompressSync, crc32, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Bytes } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import type { BrotliWasm } from "./index.ts";
import { compressed } from "./index.ts";

/** Stored values as released versions wrote them. They are never written again: new ones are added. */
const folder = new URL("../vectors/", import.meta.url);

interface Vector {
  readonly name: string;
  readonly codec?: "none" | "zstd" | "gzip" | "brotli";
  readonly shape?: "piece" | "blocks";
  readonly size?: number;
  readonly sha256?: string;
  /** The code that every reader must refuse it with. */
  readonly error?: string;
}

const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8")) as Vector[];
const readable = vectors.filter((vector) => vector.error === undefined);
const refused = vectors.filter((vector) => vector.error !== undefined);
const stored = ({ name }: Vector): Bytes => new Uint8Array(readFileSync(new URL(`${name}.bin`, folder)));
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const brotliWasm = createRequire(import.meta.url)("brotli-wasm") as BrotliWasm;

for (const vector of readable) {
  test(`the frozen value ${vector.name} is read, whole, as a stream and in part`, async () => {
    for (const engine of ["zlib", brotliWasm] as const) {
      const memory = memoryStorage();
      await memory.put("a", stored(vector));
      const storage = compressed({ engine })(memory);
      const value = await storage.get("a");
      expect(value?.byteLength).toBe(vector.size);
      expect(sha256(value as Bytes)).toBe(vector.sha256);
      const entry = await storage.read("a");
      expect(entry?.size).toBe(vector.size);
      expect(sha256(new Uint8Array(await new Response(entry?.value).arrayBuffer()))).toBe(vector.sha256);
      const part = await storage.read("a", { start: -40, end: -20 });
      expect(new Uint8Array(await new Response(part?.value).arrayBuffer())).toEqual(value?.slice(-40, -20));
    }
  });
}

for (const vector of refused) {
  test(`the frozen value ${vector.name} is refused as ${vector.error}`, async () => {
    const memory = memoryStorage();
    await memory.put("a", stored(vector));
    const storage = compressed()(memory);
    expect(await storage.get("a").catch((error: unknown) => error)).toMatchObject({ code: vector.error });
    expect(
      await storage
        .read("a")
        .then((entry) => new Response(entry?.value).text())
        .catch((error: unknown) => error),
    ).toMatchObject({
      code: vector.error,
    });
  });
}

test("there is a frozen value of every codec in every shape", () => {
  const found = new Set(readable.map(({ codec, shape }) => `${codec} ${shape}`));
  expect([...found].toSorted()).toEqual([
    "brotli blocks",
    "brotli piece",
    "gzip blocks",
    "gzip piece",
    "none piece",
    "zstd blocks",
    "zstd piece",
  ]);
});

test("what is written today is what is frozen, where the codec has one answer", async () => {
  const memory = memoryStorage();
  const storage = compressed()(memory);
  for (const name of ["empty", "small", "noise"]) {
    const frozen = stored({ name });
    await storage.put("a", frozen.slice(26));
    expect(await memory.get("a")).toEqual(frozen);
  }
});

test("a reader written from docs/formats.md alone reads every frozen value", () => {
  for (const vector of readable) expect(sha256(readByTheDocument(stored(vector))), vector.name).toBe(vector.sha256);
  for (const vector of refused) expect(() => readByTheDocument(stored(vector)), vector.name).toThrow();
});

/** As the document says, in its order and its words; nothing of the package is used. */
function readByTheDocument(bytes: Bytes): Uint8Array {
  const view = new DataView(bytes.buffer);
  const ascii = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString("latin1");
  const decompress = (codec: number, payload: Uint8Array): Uint8Array => {
    if (codec === 0) return payload;
    if (codec === 1) return zstdDecompressSync(payload);
    if (codec === 2) return gunzipSync(payload);
    assert.equal(codec, 3);
    return brotliDecompressSync(payload);
  };

  assert.equal(ascii(0, 4), "\u0089STW");
  assert.equal(ascii(5, 5 + (bytes[4] as number)), "compressed");
  assert.equal(bytes[15], 1);
  if (bytes[16] === 0) {
    const payload = bytes.subarray(26);
    assert.equal(view.getUint32(22, true), crc32(payload, crc32(bytes.subarray(0, 22))));
    const plain = decompress(bytes[17] as number, payload);
    assert.equal(plain.byteLength, view.getUint32(18, true));
    return plain;
  }

  assert.equal(bytes[16], 1);
  assert.equal(bytes[17], 0);
  assert.equal(view.getUint32(30, true), crc32(bytes.subarray(0, 30)));
  const blockSize = view.getUint32(18, true);
  const announced = view.getBigUint64(22, true);
  const end = bytes.byteLength;
  const length = view.getBigUint64(end - 16, true);
  const count = view.getUint32(end - 8, true);
  const index = end - 16 - count * 8;
  assert.equal(view.getUint32(end - 4, true), crc32(bytes.subarray(index, end - 4), crc32(bytes.subarray(0, 34))));
  assert.ok(announced === 0xffff_ffff_ffff_ffffn || announced === length);
  const plain: Uint8Array[] = [];
  let at = 34;
  for (let number = 0; number < count; number++) {
    const storedLength = view.getUint32(at + 10, true);
    const payload = bytes.subarray(at + 18, at + 18 + storedLength);
    assert.equal(view.getUint32(at, true), number);
    assert.equal(bytes[at + 5], number === count - 1 ? 1 : 0);
    assert.equal(view.getUint32(at + 14, true), crc32(payload, crc32(bytes.subarray(at, at + 14))));
    assert.equal(view.getUint32(index + number * 8, true), storedLength);
    assert.equal(view.getUint32(index + number * 8 + 4, true), view.getUint32(at + 14, true));
    const block = decompress(bytes[at + 4] as number, payload);
    assert.equal(block.byteLength, view.getUint32(at + 6, true));
    assert.ok(number === count - 1 || block.byteLength === blockSize);
    plain.push(block);
    at += 18 + storedLength;
  }
  assert.equal(at, index);
  const value = Buffer.concat(plain);
  assert.equal(BigInt(value.byteLength), length);
  return value;
}
