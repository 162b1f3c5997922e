import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Bytes } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { envelope } from "./envelope.ts";
import { collect, text } from "./testing/samples.ts";

/** Stored values as released versions wrote them. They are never written again: new ones are added. */
const folder = new URL("../vectors/", import.meta.url);

interface Readable {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly expiresAt?: number;
  readonly metadata?: readonly (readonly [name: string, text: string])[];
}

interface Refused {
  readonly name: string;
  /** The code that every reader must refuse it with. */
  readonly error: string;
}

const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8")) as (Readable | Refused)[];
const readable = vectors.filter((vector) => "size" in vector);
const refused = vectors.filter((vector) => "error" in vector);
const stored = (name: string): Bytes => new Uint8Array(readFileSync(new URL(`${name}.bin`, folder)));
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

for (const { name, size, sha256: hash, expiresAt, metadata } of readable) {
  test(`the frozen value ${name} is read, whole, as a stream and in part, with all that belongs to it`, async () => {
    const memory = memoryStorage();
    await memory.put("a", stored(name));
    const storage = envelope()(memory);
    const value = await storage.get("a");
    expect([value?.byteLength, sha256(value!)]).toEqual([size, hash]);
    const entry = await storage.read("a");
    expect(entry?.size).toBe(size);
    expect(sha256(await collect(entry))).toBe(hash);
    expect(await collect(await storage.read("a", { start: -40, end: -20 }))).toEqual(value?.slice(-40, -20));
    const info = await storage.head("a");
    expect([info?.size, info?.expiresAt]).toEqual([size, expiresAt]);
    expect(Object.entries(info?.metadata ?? {})).toEqual(metadata ?? []);
  });
}

for (const { name, error } of refused) {
  test(`the frozen value ${name} is ${error}`, async () => {
    const memory = memoryStorage();
    await memory.put("a", stored(name));
    const storage = envelope()(memory);
    for (const look of [() => storage.get("a"), () => storage.getEntry("a"), () => storage.read("a").then(collect)]) {
      expect(await look().catch((reason: unknown) => reason)).toMatchObject({ code: error, key: "a", storage: "envelope" });
    }
  });
}

test("what is written today is what is frozen", async () => {
  const memory = memoryStorage();
  const storage = envelope()(memory);
  const small = text("A value in an envelope.\n");
  const pairs = (name: string) => Object.fromEntries(readable.find((vector) => vector.name === name)?.metadata ?? []);
  for (const [name, value, options] of [
    ["empty", new Uint8Array(0), {}],
    ["small", small, {}],
    ["expiry", small, { expiresAt: 4_000_000_000_000 }],
    ["expiry-with-fraction", small, { expiresAt: 4_000_000_000_000.5 }],
    ["metadata", small, { metadata: pairs("metadata") }],
    ["odd-metadata", small, { metadata: pairs("odd-metadata") }],
    ["empty-with-all", new Uint8Array(0), { expiresAt: 8_640_000_000_000_000, metadata: { a: "b" } }],
    ["two-blocks", (await read("two-blocks"))!, {}],
    ["one-full-block", (await read("one-full-block"))!, {}],
  ] as const) {
    await storage.put("a", value, options);
    expect(sha256((await memory.get("a"))!), name).toBe(sha256(stored(name)));
    await storage.write("a", new Blob([value]), options);
    expect(sha256((await memory.get("a"))!), `${name} as a stream`).toBe(sha256(stored(name)));
  }
});

test("a reader written from docs/formats.md alone reads every frozen value, and no other", () => {
  for (const { name, sha256: hash, expiresAt, metadata } of readable) {
    const found = readByTheDocument(stored(name));
    expect(sha256(found.value), name).toBe(hash);
    expect([found.expiresAt, found.metadata], name).toEqual([expiresAt, metadata ?? []]);
  }
  for (const { name } of refused) expect(() => readByTheDocument(stored(name)), name).toThrow();
});

async function read(name: string): Promise<Bytes | undefined> {
  const memory = memoryStorage();
  await memory.put("a", stored(name));
  return await envelope()(memory).get("a");
}

interface Found {
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
  readonly metadata: string[][];
}

/** As the document says, in its order and its words; nothing of the package is used. */
function readByTheDocument(bytes: Bytes): Found {
  const view = new DataView(bytes.buffer);
  assert.equal(Buffer.from(bytes.subarray(0, 14)).toString("latin1"), "\u0089STW\u0008envelope\u0001");
  const flags = bytes[14]!;
  assert.ok(flags === 0 || flags === 1);
  const blockSize = 2 ** bytes[15]!;
  assert.ok(blockSize >= 4096 && blockSize <= 2 ** 24);
  const end = 26 + view.getUint16(16, true);
  let checksum = view.getUint32(end, true);
  assert.equal(checksum, crc32(bytes.subarray(0, end)));

  const expiresAt = flags === 1 ? view.getFloat64(18, true) : undefined;
  assert.ok(expiresAt === undefined || (expiresAt > 0 && expiresAt < Infinity));
  const texts: string[] = [];
  for (let at = 26; at < end;) {
    const length = view.getUint16(at, true);
    assert.ok(at + 2 + length <= end);
    texts.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  assert.equal(texts.length % 2, 0);
  const names = texts.filter((_, at) => at % 2 === 0);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/);

  const rest = bytes.byteLength - end - 4;
  const count = Math.ceil(rest / (blockSize + 4));
  const size = rest - 4 * count;
  assert.ok(count >= 1 && size >= 0 && count === Math.max(Math.ceil(size / blockSize), 1));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(size), true);
  const blocks: Uint8Array[] = [];
  for (let number = 0, at = end + 4; number < count; number++) {
    const block = bytes.subarray(at, at + Math.min(blockSize, size - number * blockSize));
    at += block.byteLength;
    checksum = crc32(block, checksum);
    assert.equal(view.getUint32(at, true), number === count - 1 ? crc32(length, checksum) : checksum);
    at += 4;
    blocks.push(block);
  }
  return {
    value: Buffer.concat(blocks),
    expiresAt,
    metadata: Array.from({ length: texts.length / 2 }, (_, at) => texts.slice(at * 2, at * 2 + 2)),
  };
}
