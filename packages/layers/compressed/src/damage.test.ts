import { createRequire } from "node:module";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Bytes, ByteStorage, Capabilities } from "@stowage/core";
import { concatBytes, crc32, ForwardingStorage, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { blocksHeaderSize, makeBlockHeader, makeBlocksHeader, makePiece, makeTrailer } from "./format.ts";
import type { BrotliWasm, CompressedOptions } from "./index.ts";
import { compressed } from "./index.ts";

const mebibyte = 1024 * 1024;
const brotliWasm = createRequire(import.meta.url)("brotli-wasm") as BrotliWasm;

class Native extends ForwardingStorage<Bytes> {
  readonly name = "native";

  override get capabilities(): Capabilities {
    return { ...super.capabilities, streams: "native" };
  }
}

/** Text that shrinks to almost nothing, so that every stored byte can be damaged in turn. */
function refrain(size: number): Bytes {
  const phrase = new TextEncoder().encode("row, row, row your boat gently down the stream; ");
  const text = new Uint8Array(size);
  for (let at = 0; at < size; at += phrase.byteLength) text.set(phrase.subarray(0, size - at), at);
  return text;
}

async function* chunksOf(value: Bytes, size = 100_000): AsyncGenerator<Bytes, void, void> {
  for (let at = 0; at < value.byteLength; at += size) yield value.slice(at, at + size);
}

interface Subject {
  readonly memory: ByteStorage;
  readonly storage: ByteStorage;
  readonly value: Bytes;
  readonly stored: Bytes;
}

async function stored(value: Bytes, options: CompressedOptions, streamed: boolean): Promise<Subject> {
  const memory = new Native(memoryStorage());
  const storage = compressed(options)(memory);
  if (streamed) await storage.write("a", chunksOf(value));
  else await storage.put("a", value);
  return { memory, storage, value, stored: (await memory.get("a")) as Bytes };
}

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

/** What a reader makes of damaged bytes: the code of its error, or whether the value is right all the same. */
async function readings({ memory, storage, value }: Subject, damaged: Bytes): Promise<string[]> {
  await memory.put("a", damaged);
  const calls = [
    async () => same(await storage.get("a"), value),
    async () => same(new Uint8Array(await new Response((await storage.read("a"))?.value).arrayBuffer()), value),
    async () => same(new Uint8Array(await new Response((await storage.read("a", { start: -9 }))?.value).arrayBuffer()), value.slice(-9)),
    async () => same(new Uint8Array(await new Response((await storage.read("a", { end: 9 }))?.value).arrayBuffer()), value.slice(0, 9)),
  ];
  return await Promise.all(
    calls.map(async (call) => {
      try {
        return (await call()) ? "right" : "wrong";
      } catch (error) {
        return StorageError.is(error) ? error.code : String(error);
      }
    }),
  );
}

/** Fails unless whole reads found the damage, and reads of a part found it or did not touch it. */
function expectFound([whole, stream, ...parts]: string[], where: string, codes: readonly string[] = ["corrupt"]): void {
  expect(codes, where).toContain(whole);
  expect(codes, where).toContain(stream);
  for (const part of parts) expect([...codes, "right"], where).toContain(part);
}

const subjects: [string, Bytes, CompressedOptions, boolean][] = [
  ["zstd in one piece", refrain(900), {}, false],
  ["gzip in one piece", refrain(900), { codec: "gzip" }, false],
  ["brotli in one piece", refrain(900), { codec: "brotli" }, false],
  ["brotli-wasm in one piece", refrain(900), { codec: "brotli", engine: brotliWasm }, false],
  ["plain in one piece", refrain(100), {}, false],
  ["zstd in blocks", refrain(mebibyte + 5000), {}, false],
  ["zstd in blocks of a stream", refrain(mebibyte + 100), {}, true],
  ["brotli in blocks of a stream", refrain(mebibyte + 5000), { codec: "brotli" }, true],
];

for (const [name, value, options, streamed] of subjects) {
  test(`${name}: a flipped bit anywhere is corrupt`, async () => {
    const subject = await stored(value, options, streamed);
    for (let at = 0; at < subject.stored.byteLength; at++) {
      const damaged = subject.stored.slice();
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
      expectFound(await readings(subject, damaged), `byte ${at}`, at === 15 ? ["unsupported"] : ["corrupt"]);
    }
  });

  test(`${name}: a value that was cut off or that goes on is corrupt`, async () => {
    const subject = await stored(value, options, streamed);
    for (let size = 0; size < subject.stored.byteLength; size++) {
      const found = await readings(subject, subject.stored.slice(0, size));
      expect(found.slice(0, 3), `cut to ${size}`).toEqual(["corrupt", "corrupt", "corrupt"]);
      expect(["corrupt", "right"]).toContain(found[3]);
    }
    for (const more of [new Uint8Array(1), subject.stored]) {
      const found = await readings(subject, concatBytes([subject.stored, more]));
      expect(found.slice(0, 3)).toEqual(["corrupt", "corrupt", "corrupt"]);
    }
  });
}

test("blocks that are swapped, dropped, or from another value are corrupt", async () => {
  const plain: CompressedOptions = { minSize: 2 * mebibyte };
  const one = await stored(refrain(3 * mebibyte), plain, false);
  const other = await stored(refrain(3 * mebibyte).toReversed(), plain, false);
  const size = (one.stored.byteLength - blocksHeaderSize - 3 * 8 - 16) / 3;
  const block = (from: Bytes, at: number): Bytes => from.subarray(blocksHeaderSize + at * size, blocksHeaderSize + (at + 1) * size);
  const head = one.stored.subarray(0, blocksHeaderSize);
  const trailer = one.stored.subarray(blocksHeaderSize + 3 * size);
  const assemble = (blocks: Bytes[]): Bytes => concatBytes([head, ...blocks, trailer]);
  const [a, b, c] = [block(one.stored, 0), block(one.stored, 1), block(one.stored, 2)];
  expect(await readings(one, assemble([a, b, c]))).toEqual(["right", "right", "right", "right"]);
  for (const blocks of [
    [b, a, c],
    [a, c, b],
    [a, b],
    [a, c],
    [b, c],
    [a, b, b, c],
    [a, block(other.stored, 1), c],
  ]) {
    expectFound(await readings(one, assemble(blocks)), "spliced");
  }
});

test("random damage never gives wrong bytes", async () => {
  const subjectsReady = await Promise.all(subjects.map(([, value, options, streamed]) => stored(value, options, streamed)));
  const edit = fc.record({ at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }), cut: fc.nat({ max: 30 }) });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...subjectsReady), fc.array(edit, { minLength: 1, maxLength: 3 }), async (subject, edits) => {
      let damaged = subject.stored;
      for (const { at, bytes, cut } of edits) {
        const from = at % damaged.byteLength;
        damaged = concatBytes([damaged.subarray(0, from), bytes, damaged.subarray(from + cut)]);
      }
      if (same(damaged, subject.stored)) return;
      expectFound(await readings(subject, damaged), "edited", ["corrupt", "unsupported"]);
    }),
    { numRuns: 300 },
  );
});

/** A zstd frame of blocks that repeat one byte: 128 KiB for every four bytes. */
function zstdBomb(size: number): Bytes {
  const block = 128 * 1024;
  const count = size / block;
  const frame = new Uint8Array(6 + count * 4);
  frame.set([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  for (let at = 0; at < count; at++) {
    const header = (block << 3) | (1 << 1) | (at === count - 1 ? 1 : 0);
    frame.set([header & 0xff, (header >> 8) & 0xff, (header >> 16) & 0xff, 0x61], 6 + at * 4);
  }
  return frame;
}

test("a payload that gives more than its header says is corrupt, and stops there", async () => {
  const { memory, storage } = await stored(refrain(900), {}, false);
  const gibibytes = zstdBomb(10 * 1024 * mebibyte);
  const bombs: [string, Bytes][] = [
    ["ten gibibytes", makePiece("zstd", 1000, gibibytes)],
    ["ten gibibytes that say one", makePiece("zstd", mebibyte, gibibytes)],
    ["gzip", makePiece("gzip", 1000, gzipSync(new Uint8Array(16 * mebibyte)))],
    ["two members", makePiece("gzip", 1000, concatBytes([gzipSync(refrain(500)), gzipSync(refrain(600))]))],
    ["less than it says", makePiece("gzip", 1000, gzipSync(refrain(900)))],
    ["bytes behind a frame", makePiece("zstd", 900, concatBytes([zstdCompressSync(refrain(900)), new Uint8Array(1)]))],
    ["nested", makePiece("zstd", 900, gibibytes.slice(0, 900))],
  ];
  const before = process.memoryUsage().arrayBuffers;
  for (const [name, bomb] of bombs) {
    await memory.put("a", bomb);
    expect(await storage.get("a").catch((error: unknown) => error), name).toMatchObject({ code: "corrupt" });
    expect(await storage.read("a").catch((error: unknown) => error), name).toMatchObject({ code: "corrupt" });
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * mebibyte);
});

test("lengths that no value can have are corrupt before anything is allocated", async () => {
  const { memory, storage } = await stored(refrain(900), {}, false);
  const block = concatBytes([makeBlockHeader({ index: 0, last: true, length: 900 }, "none", refrain(900)), refrain(900)]);
  const assemble = (header: Bytes, entries: number[], length: number): Bytes =>
    concatBytes([header, block, makeTrailer(header, entries, length)]);
  const header = makeBlocksHeader(undefined);
  const hostile: Bytes[] = [
    makePiece("zstd", 0xffff_ffff, new Uint8Array(100)),
    assemble(header, [900, 0], 2 ** 52),
    assemble(makeBlocksHeader(2 ** 52), [900, 0], 2 ** 52),
    assemble(header, [0xffff_ffff, 0], 900),
    assemble(header, [], 0),
    assemble(makeBlocksHeader(901), [900, 0], 900),
  ];
  for (const bytes of hostile) {
    await memory.put("a", bytes);
    for (const call of [storage.get("a"), storage.read("a"), storage.read("a", { start: -5 })]) {
      expect(
        await call
          .then(async (entry) => await new Response((entry as { value: ReadableStream }).value).text())
          .catch((error: unknown) => error),
      ).toMatchObject({
        code: "corrupt",
      });
    }
  }
});

test("a small value that truly unfolds to more than maxSize is too large, not allocated", async () => {
  const memory = memoryStorage();
  await compressed()(memory).write("a", chunksOf(new Uint8Array(20 * mebibyte), mebibyte));
  expect((await memory.head("a"))?.size).toBeLessThan(5000);
  const careful = compressed({ maxSize: 8 * mebibyte })(memory);
  expect(await careful.get("a").catch((error: unknown) => error)).toMatchObject({ code: "too-large" });
});

test("a codec of a later version is unsupported", async () => {
  const { memory, storage } = await stored(refrain(900), {}, false);
  const piece = makePiece("zstd", 900, new Uint8Array(50));
  piece[17] = 9;
  const checksum = crc32(piece.subarray(26), crc32(piece.subarray(0, 22)));
  new DataView(piece.buffer).setUint32(22, checksum, true);
  await memory.put("a", piece);
  expect(await storage.get("a").catch((error: unknown) => error)).toMatchObject({ code: "unsupported", key: "a" });
});
