import { createRequire } from "node:module";
import type { Bytes, ByteSource, ByteStorage, Capabilities, Entry, EntryInfo, ReadOptions } from "@stowage/core";
import { findLayer, ForwardingStorage, makeHeader, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { BrotliWasm, CompressedOptions } from "./index.ts";
import { compressed, CompressedStorage } from "./index.ts";

const mebibyte = 1024 * 1024;
const brotliWasm = createRequire(import.meta.url)("brotli-wasm") as BrotliWasm;

/** Text that shrinks to about a third. The same for the same size. */
function prose(size: number): Bytes {
  const words = "the quick brown fox jumps over a lazy dog while seven wizards quietly box up frozen liquor jugs".split(" ");
  const text = new Uint8Array(size);
  let state = size;
  for (let at = 0; at < size;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    at +=
      new TextEncoder().encodeInto(`${words[(state >>> 20) % words.length]} ${(state >>> 8) % 1000} `, text.subarray(at)).written || size;
  }
  return text;
}

/** Bytes that do not shrink. */
function noise(size: number): Bytes {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

async function* chunksOf(value: Bytes, size = 65_536): AsyncGenerator<Bytes, void, void> {
  for (let at = 0; at < value.byteLength; at += size) yield value.slice(at, at + size);
}

async function collect(entry: Entry<ReadableStream<Bytes>> | undefined): Promise<Bytes> {
  return new Uint8Array(await new Response(entry?.value).arrayBuffer());
}

/** Vitest compares large arrays slowly. */
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

const failed = (error: unknown): unknown => error;

/** Memory that streams natively, with the layer on it. */
function setUp(options?: CompressedOptions): { memory: ByteStorage; storage: ByteStorage; stats: () => Readonly<Record<string, number>> } {
  const memory = new Streaming(memoryStorage(), "native");
  const storage = stack(memory, compressed(options));
  return { memory, storage, stats: () => storage.details().stats };
}

/** A storage that says that it streams like this. */
class Streaming extends ForwardingStorage<Bytes> {
  readonly name: string = "streaming";
  readonly #streams: Capabilities["streams"];

  constructor(inner: ByteStorage, streams: Capabilities["streams"]) {
    super(inner);
    this.#streams = streams;
  }

  override get capabilities(): Capabilities {
    return { ...super.capabilities, streams: this.#streams };
  }
}

/** Streams natively, and promises no etags. */
class WithoutEtags extends Streaming {
  override readonly name = "without-etags";

  override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const entry = await super.read(key, options);
    return entry && { key, ...(entry.size !== undefined && { size: entry.size }), value: entry.value };
  }
}

const sizes = [0, 1, 127, 128, 1000, 200_000, mebibyte + 1];
const kinds: CompressedOptions[] = [
  { codec: "zstd" },
  { codec: "zstd", level: 12 },
  { codec: "gzip" },
  { codec: "brotli" },
  { codec: "brotli", level: 1, engine: brotliWasm },
  { codec: "brotli", level: 0, engine: "brotli-wasm" },
];

for (const options of kinds) {
  const name = `${options.codec} at level ${options.level ?? "usual"} by ${typeof options.engine === "object" ? "a loaded package" : (options.engine ?? "auto")}`;
  test(`${name} gives back what was put and what was written, whole and as a stream`, async () => {
    const { storage } = setUp(options);
    for (const size of sizes) {
      const value = prose(size);
      expect(await storage.put("put", value)).toMatchObject({ key: "put", size });
      expect(await storage.write("written", chunksOf(value))).toMatchObject({ key: "written", size });
      for (const key of ["put", "written"]) {
        expect(same(await storage.get(key), value)).toBe(true);
        const entry = await storage.read(key);
        expect(entry).toMatchObject({ key, size });
        expect(same(await collect(entry), value)).toBe(true);
      }
    }
  });
}

test("text takes less room below than above", async () => {
  const { memory, storage } = setUp();
  for (const size of [1000, 100_000, 2 * mebibyte]) {
    await storage.put("a", prose(size));
    expect((await memory.head("a"))?.size).toBeLessThan(size * 0.6);
  }
});

test("values below minSize and values that do not shrink enough are stored as they are", async () => {
  const { memory, storage, stats } = setUp();
  for (const value of [prose(127), noise(5000), noise(mebibyte)]) {
    await storage.put("a", value);
    expect((await memory.head("a"))?.size).toBe(value.byteLength + 26);
    expect(same(await storage.get("a"), value)).toBe(true);
  }
  expect(stats()).toMatchObject({ storedPlain: 3 });
  await storage.put("a", prose(128));
  expect(stats()).toMatchObject({ storedPlain: 3 });
});

test("each block decides for itself whether it is compressed", async () => {
  const { storage, stats } = setUp();
  const value = prose(3 * mebibyte);
  value.set(noise(mebibyte), mebibyte);
  await storage.put("a", value);
  expect(stats()).toMatchObject({ encodedBlocks: 3, storedPlain: 1 });
  expect(same(await storage.get("a"), value)).toBe(true);
});

test("a range decompresses the blocks that it touches and no others", async () => {
  const value = prose(5 * mebibyte + 10);
  const { storage, stats } = setUp();
  await storage.put("put", value);
  await storage.write("written", chunksOf(value));
  for (const key of ["put", "written"]) {
    const cases: [number | undefined, number | undefined, number][] = [
      [0, 10, 1],
      [2 * mebibyte, 3 * mebibyte, 1],
      [2 * mebibyte - 1, 3 * mebibyte + 1, 3],
      [-5, undefined, 1],
      [-20, undefined, 2],
      [mebibyte + 1, -4 * mebibyte, 1],
      [10, 10, 0],
      [6 * mebibyte, undefined, 0],
    ];
    for (const [start, end, blocks] of cases) {
      const before = stats()["decodedBlocks"] as number;
      const entry = await storage.read(key, { start, end });
      expect(entry?.size).toBe(value.byteLength);
      expect(same(await collect(entry), value.slice(start, end))).toBe(true);
      expect((stats()["decodedBlocks"] as number) - before).toBe(blocks);
    }
  }
});

test("a range costs three inner reads at first, and then one", async () => {
  const mock = mockStorage();
  const storage = compressed()(new Streaming(mock, "native"));
  await storage.put("a", prose(3 * mebibyte));
  const reads = (): number => mock.calls.filter((call) => call.operation === "read").length;
  await collect(await storage.read("a", { start: 2 * mebibyte, end: 2 * mebibyte + 5 }));
  expect(reads()).toBe(3);
  await collect(await storage.read("a", { start: 5, end: 10 }));
  expect(reads()).toBe(4);
});

test("a value in one piece is one inner read, also in part", async () => {
  const mock = mockStorage();
  const storage = compressed()(new Streaming(mock, "native"));
  await storage.put("a", prose(50_000));
  expect(same(await collect(await storage.read("a", { start: -100 })), prose(50_000).slice(-100))).toBe(true);
  expect(mock.calls.filter((call) => call.operation === "read")).toHaveLength(1);
});

test("streams and ranges are right over storages without etags, and over those that buffer", async () => {
  const value = prose(3 * mebibyte + 10);
  for (const inner of [new WithoutEtags(memoryStorage(), "native"), memoryStorage()]) {
    const storage = compressed()(inner);
    await storage.put("put", value);
    await storage.write("written", chunksOf(value));
    for (const key of ["put", "written"]) {
      expect(same(await collect(await storage.read(key)), value)).toBe(true);
      for (const [start, end] of [
        [5, 10],
        [2 * mebibyte - 1, 3 * mebibyte + 1],
        [-5, undefined],
        [mebibyte, -1],
        [4 * mebibyte, undefined],
      ] as const) {
        expect(same(await collect(await storage.read(key, { start, end })), value.slice(start, end))).toBe(true);
      }
    }
  }
});

test("over a storage without streams, streams are refused and values are not", async () => {
  const storage = compressed()(new Streaming(memoryStorage(), "none"));
  await storage.put("a", prose(2000));
  expect(same(await storage.get("a"), prose(2000))).toBe(true);
  expect(await storage.read("a").catch(failed)).toMatchObject({ code: "unsupported", storage: "compressed" });
  expect(await storage.write("a", chunksOf(prose(1))).catch(failed)).toMatchObject({ code: "unsupported", storage: "compressed" });
});

test("head and list do not name a size, because that of the value would cost a read", async () => {
  const { storage } = setUp();
  const { etag } = await storage.put("a", prose(2000), { metadata: { "content-type": "text/plain" } });
  const info = await storage.head("a");
  expect(info).toMatchObject({ key: "a", etag, metadata: { "content-type": "text/plain" } });
  expect(info).not.toHaveProperty("size");
  expect((await storage.list({ info: true })).entries[0]).not.toHaveProperty("size");
  expect(await storage.getEntry("a")).toMatchObject({ size: 2000, etag });
});

test("values of every codec can be read, whichever is chosen for new ones", async () => {
  const memory = memoryStorage();
  for (const codec of ["zstd", "gzip", "brotli"] as const) await compressed({ codec })(memory).put(codec, prose(20_000));
  for (const codec of ["zstd", "gzip", "brotli"]) expect(same(await compressed()(memory).get(codec), prose(20_000))).toBe(true);
});

test("node:zlib and brotli-wasm read what the other wrote, in one piece, in blocks, and in part", async () => {
  const memory = memoryStorage();
  const native = compressed({ codec: "brotli", engine: "zlib" })(memory);
  const portable = compressed({ codec: "brotli", engine: brotliWasm })(memory);
  for (const [writer, reader] of [
    [native, portable],
    [portable, native],
  ] as const) {
    for (const size of [200, 40_000, mebibyte + 1000]) {
      await writer.put("put", prose(size));
      await writer.write("written", chunksOf(prose(size)));
      for (const key of ["put", "written"]) {
        expect(same(await reader.get(key), prose(size))).toBe(true);
        expect(same(await collect(await reader.read(key, { start: -150, end: -50 })), prose(size).slice(-150, -50))).toBe(true);
      }
    }
  }
});

test("a value from before this layer is corrupt, and given as it is where legacy says so", async () => {
  const clock = new VirtualClock();
  const memory = memoryStorage();
  const old = prose(5000);
  await memory.put("old", old);
  await memory.put("empty", new Uint8Array());

  const strict = compressed()(memory);
  for (const key of ["old", "empty"]) {
    for (const call of [strict.get(key), strict.getEntry(key), strict.read(key), strict.read(key, { start: 1, end: 2 })]) {
      expect(await call.catch(failed)).toMatchObject({ code: "corrupt", key, storage: "compressed" });
    }
  }

  for (const legacy of ["raw", { until: clock.now() + 1000 }, { until: new Date(clock.now() + 1000).toISOString() }] as const) {
    const lenient = compressed({ legacy, clock })(memory);
    expect(await lenient.get("old")).toEqual(old);
    expect(await lenient.get("empty")).toEqual(new Uint8Array());
    expect(await lenient.read("old")).toMatchObject({ size: 5000 });
    expect(same(await collect(await lenient.read("old", { start: -10 })), old.slice(-10))).toBe(true);
    expect(lenient.details().stats).toMatchObject({ legacyReads: 4 });
    await lenient.put("new", old);
    expect(await lenient.get("new")).toEqual(old);
  }

  const ending = compressed({ legacy: { until: new Date(clock.now() + 1000) }, clock })(memory);
  await clock.advance(1000);
  expect(await ending.get("old").catch(failed)).toMatchObject({ code: "corrupt" });
});

test("a value that another layer wrote names that layer", async () => {
  const { memory, storage } = setUp();
  await memory.put("a", new Uint8Array([...makeHeader("encrypted", 1), 1, 2, 3]));
  for (const call of [storage.get("a"), storage.read("a")]) {
    const error = await call.catch(failed);
    expect(error).toMatchObject({ code: "corrupt", key: "a" });
    expect((error as Error).message).toContain('"encrypted"');
  }
});

test("a value of a later version of the format is unsupported, also where old values are read raw", async () => {
  const { memory, storage } = setUp({ legacy: "raw" });
  await memory.put("a", new Uint8Array([...makeHeader("compressed", 2), 1, 2, 3]));
  expect(await storage.get("a").catch(failed)).toMatchObject({ code: "unsupported" });
  expect(await storage.read("a").catch(failed)).toMatchObject({ code: "unsupported" });
});

test("a value above maxSize is too large to be put, got, written and read, whole and in part", async () => {
  const { memory, storage: lenient } = setUp();
  const value = prose(2 * mebibyte + 1);
  await lenient.put("put", value);
  await lenient.write("written", chunksOf(value));
  await lenient.put("small", prose(1000));
  const refused = async (call: Promise<unknown>, operation?: string): Promise<void> =>
    expect(await call.catch(failed)).toMatchObject({ code: "too-large", ...(operation !== undefined && { operation }) });

  for (const streams of ["native", "buffered"] as const) {
    const storage = compressed({ maxSize: 2 * mebibyte })(new Streaming(memory, streams));
    for (const key of ["put", "written"]) {
      await refused(storage.get(key));
      await refused(storage.read(key));
      await refused(storage.read(key, { start: -5 }));
      expect(storage.details().stats).toMatchObject({ decodedBlocks: 0 });
    }
    await refused(storage.put("new", value), "put");
    for (const size of [undefined, value.byteLength]) await refused(storage.write("new", chunksOf(value), { size }), "write");
    expect(await memory.has("new")).toBe(false);
    const allowed = value.slice(0, 2 * mebibyte);
    await storage.write("new", chunksOf(allowed));
    expect(same(await storage.get("new"), allowed)).toBe(true);
    expect(same(await collect(await storage.read("new")), allowed)).toBe(true);
    await storage.delete("new");
  }
  const tiny = compressed({ maxSize: 999 })(memory);
  await refused(tiny.get("small"));
  await refused(tiny.read("small"));
  expect(same(await collect(await compressed({ maxSize: 1000 })(memory).read("small")), prose(1000))).toBe(true);
});

test("a stream whose length nobody knows ends at maxSize, with the blocks before it", async () => {
  const memory = new WithoutEtags(memoryStorage(), "native");
  await compressed()(memory).write("a", chunksOf(prose(3 * mebibyte)));
  const given: Bytes[] = [];
  const reading = (async () => {
    const entry = await compressed({ maxSize: mebibyte + 1 })(memory).read("a");
    for await (const chunk of entry!.value) given.push(chunk);
  })();
  expect(await reading.catch(failed)).toMatchObject({ code: "too-large", key: "a" });
  expect(given.reduce((size, chunk) => size + chunk.byteLength, 0)).toBeLessThanOrEqual(mebibyte);
});

test("without maxSize only what is put or got as a whole has a limit, and streams are the way out", async () => {
  const { storage } = setUp();
  await expect(storage.put("a", new Uint8Array(256 * mebibyte + 1))).rejects.toThrow("write it as a stream, or raise maxSize");
  const announced = storage.write("a", chunksOf(new Uint8Array(1)), { size: 300 * mebibyte });
  expect(await announced.catch(failed)).toMatchObject({ code: "invalid-value" }); // for its size, which is another, and not for 300 MiB
});

test("a source that fails half-way stores nothing, and its error arrives as it is", async () => {
  const { memory, storage } = setUp();
  const broken = async function* (): AsyncGenerator<Bytes, void, void> {
    yield prose(3 * mebibyte);
    throw new Error("the line broke");
  };
  await expect(storage.write("a", broken())).rejects.toThrow("the line broke");
  expect(await memory.has("a")).toBe(false);
});

test("a slow storage holds the source back: a few blocks are in memory, however long the stream is", async () => {
  let given = 0;
  let taken = 0;
  let furthest = 0;
  const source = async function* (): AsyncGenerator<Bytes, void, void> {
    for (; given < 30 * mebibyte; given += 65_536) yield noise(65_536);
  };
  class Slow extends Streaming {
    override async write(key: string, encoded: ByteSource): Promise<EntryInfo> {
      for await (const chunk of encoded as AsyncIterable<Bytes>) {
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
        taken += chunk.byteLength;
        furthest = Math.max(furthest, given - taken);
      }
      return { key };
    }
  }
  await compressed()(new Slow(memoryStorage(), "native")).write("a", source());
  expect(taken).toBeGreaterThan(30 * mebibyte);
  expect(furthest).toBeLessThan(6 * mebibyte);
});

test("a slow reader holds the stored stream back", async () => {
  let given = 0;
  class Counting extends Streaming {
    override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
      const entry = await super.read(key, options);
      if (entry === undefined) return undefined;
      const whole = new Uint8Array(await new Response(entry.value).arrayBuffer());
      const chunks = chunksOf(whole);
      const pull = async (controller: ReadableStreamDefaultController<Bytes>): Promise<void> => {
        const { done, value } = await chunks.next();
        if (done === true) return controller.close();
        given += value.byteLength;
        controller.enqueue(value);
      };
      return { ...entry, value: new ReadableStream<Bytes>({ pull }, { highWaterMark: 0 }) };
    }
  }
  const storage = compressed()(new Counting(memoryStorage(), "native"));
  await storage.put("a", noise(20 * mebibyte));
  const reader = (await storage.read("a"))?.value.getReader();
  let taken = 0;
  for (;;) {
    const step = await reader?.read();
    if (step?.done !== false) break;
    taken += step.value.byteLength;
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(given - taken).toBeLessThan(5 * mebibyte);
  }
  expect(taken).toBe(20 * mebibyte);
});

test("a source of another size than announced stores nothing", async () => {
  const { memory, storage } = setUp();
  for (const size of [1999, 2001, 3 * mebibyte]) {
    expect(await storage.write("a", chunksOf(prose(2000)), { size }).catch(failed)).toMatchObject({ code: "invalid-value" });
  }
  expect(await memory.has("a")).toBe(false);
});

test("an abort ends the compression of a large value between two blocks", async () => {
  const { memory, storage } = setUp({ codec: "gzip" });
  const controller = new AbortController();
  const put = storage.put("a", prose(20 * mebibyte), { signal: controller.signal }).catch(failed);
  controller.abort(new Error("enough"));
  expect(await put).toMatchObject({ message: "enough" });
  expect(storage.details().stats["encodedBlocks"]).toBeLessThan(10);
  expect(await memory.has("a")).toBe(false);
});

test("options that make no sense are refused when the layer is made", () => {
  const wrong = [
    { codec: "lz4" },
    { level: 0 },
    { level: 23 },
    { level: 2.5 },
    { codec: "gzip", level: 10 },
    { codec: "brotli", level: 12 },
    { minSize: -1 },
    { minSaving: 1 },
    { minSaving: Number.NaN },
    { maxSize: 0 },
    { legacy: true },
    { legacy: { until: "some day" } },
    { engine: "wasm" },
  ] as unknown as CompressedOptions[];
  for (const options of wrong) {
    expect(() => compressed(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
});

test("the layer can be found, and tells its options and what it did", async () => {
  const { storage } = setUp({ codec: "gzip" });
  await storage.put("a", prose(10_000));
  await storage.get("a");
  const layer = findLayer(storage, CompressedStorage);
  expect(layer?.details().options).toMatchObject({
    codec: "gzip",
    level: 6,
    minSize: 128,
    minSaving: 0.05,
    maxSize: 256 * mebibyte,
    engine: "auto",
  });
  const { plainBytes, storedBytes, ...counts } = layer?.details().stats ?? {};
  expect(counts).toMatchObject({ encodedValues: 1, decodedValues: 1 });
  expect(plainBytes).toBe(10_000);
  expect(storedBytes).toBe((await storage.inner[0]?.head("a"))?.size);
});

test("a codec that fails to load is unsupported, with the way out", async () => {
  const { memory } = setUp();
  await compressed({ codec: "zstd" })(memory).put("a", prose(5000));
  const { process } = globalThis;
  try {
    Reflect.set(globalThis, "process", undefined);
    expect(() => compressed({ codec: "zstd" })).toThrow(expect.objectContaining({ code: "unsupported" }));
    const portable = compressed({ engine: brotliWasm })(memory);
    expect(portable.details().options).toMatchObject({ codec: "brotli", level: 4 });
    await portable.put("b", prose(5000));
    expect(await portable.get("b")).toEqual(prose(5000));
    const error = await portable.get("a").catch(failed);
    expect(StorageError.is(error, "unsupported")).toBe(true);
  } finally {
    Reflect.set(globalThis, "process", process);
  }
});
