import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteLayer, Bytes, ByteSource, ByteStorage, Metadata } from "@stowage/core";
import { findLayer, headerOf, stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, onTestFinished, test } from "vitest";
import type { EnvelopeOptions } from "./envelope.ts";
import { envelope, EnvelopeStorage } from "./envelope.ts";
import { blockSize } from "./format.ts";
import { plugins } from "./plugin.ts";
import { Below, bytesOf, chunksOf, codeOf, collect, same, text } from "./testing/samples.ts";

interface SetUp {
  readonly clock: VirtualClock;
  readonly below: Below;
  readonly storage: ByteStorage;
}

function setUp(options: EnvelopeOptions = {}, streams: "native" | "buffered" | "none" = "native"): SetUp {
  const clock = new VirtualClock();
  const below = new Below(memoryStorage({ clock }), { streams });
  return { clock, below, storage: envelope({ clock, ...options })(below) };
}

test("a folder that keeps bytes alone keeps expiry and metadata through an envelope, also when it is opened again", async () => {
  const clock = new VirtualClock();
  const directory = await mkdtemp(join(tmpdir(), "stowage-envelope-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const make = (): ByteStorage => stack(fileStorage({ directory, durability: "process" }), envelope({ clock }));
  const first = make();
  await first.put("a/page.html", text("<p>"), { ttl: 1_000, metadata: { "content-type": "text/html" } });
  await first.close();
  const second = make();
  expect(await second.head("a/page.html")).toMatchObject({
    key: "a/page.html",
    size: 3,
    expiresAt: clock.now() + 1_000,
    metadata: { "content-type": "text/html" },
  });
  expect((await second.list({ info: true })).entries).toMatchObject([{ key: "a/page.html", size: 3 }]);
  await clock.advance(1_000);
  expect(await second.get("a/page.html")).toBeUndefined();
  expect((await second.list({ info: true })).entries).toEqual([]);
  expect((await second.list()).entries).toEqual([{ key: "a/page.html" }]); // until it is swept
  expect(await findLayer(second, EnvelopeStorage)?.sweep()).toMatchObject({ removed: 1 });
  expect(await readdir(join(directory, "a")).catch(() => [])).toEqual([]);
  await second.close();
});

test("an envelope takes at most 48 bytes and four for each further block, and one header for all", async () => {
  const { below, storage } = setUp();
  for (const [size, blocks] of [
    [0, 1],
    [1, 1],
    [blockSize, 1],
    [blockSize + 1, 2],
    [3 * blockSize, 3],
  ] as const) {
    for (const options of [{}, { ttl: 1_000 }]) {
      await storage.put("put", bytesOf(size), options);
      await storage.write("written", chunksOf(bytesOf(size)), options);
      for (const key of ["put", "written"]) {
        const stored = await below.get(key);
        expect(stored?.byteLength).toBe(size + 30 + 4 * blocks);
        expect(30 + 4).toBeLessThanOrEqual(48);
        expect(headerOf(stored!)).toMatchObject({ layer: "envelope", version: 1 });
      }
      expect(same(await below.get("put"), (await below.get("written"))!)).toBe(true);
    }
  }
});

test("what was put and what was written comes back, whole, as a stream and in part", async () => {
  for (const streams of ["native", "buffered"] as const) {
    const { storage } = setUp({}, streams);
    for (const size of [0, 1, 100, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, 2 * blockSize + 5_000]) {
      const value = bytesOf(size);
      expect(await storage.put("put", value)).toMatchObject({ key: "put", size });
      expect(await storage.write("written", chunksOf(value, 7_777), { size })).toMatchObject({ key: "written", size });
      for (const key of ["put", "written"]) {
        expect(same(await storage.get(key), value)).toBe(true);
        expect(await storage.head(key)).toMatchObject({ size });
        for (const [start, end] of [
          [undefined, undefined],
          [0, 10],
          [-10, undefined],
          [blockSize - 2, blockSize + 2],
          [70_000, 140_000],
        ]) {
          const entry = await storage.read(key, { start, end });
          expect(entry).toMatchObject({ key, size });
          expect(same(await collect(entry), value.slice(start, end))).toBe(true);
        }
      }
    }
  }
});

test("head is one read of the header, and so is each entry of a list with info", async () => {
  const { below, storage } = setUp();
  await storage.put("a", bytesOf(500_000), { metadata: { name: "text" } });
  await storage.put("b", bytesOf(10), { ttl: 1_000 });
  below.log.length = 0;
  expect(await storage.head("a")).toMatchObject({ size: 500_000, metadata: { name: "text" } });
  expect(await storage.has("b")).toBe(true);
  expect(below.log).toEqual(["read a 0..4096", "read b 0..4096"]);
  below.log.length = 0;
  expect((await storage.list({ info: true })).entries).toMatchObject([
    { key: "a", size: 500_000 },
    { key: "b", size: 10 },
  ]);
  expect(below.log.toSorted()).toEqual(["read a 0..4096", "read b 0..4096"]);
  below.log.length = 0;
  expect((await storage.list()).entries).toEqual([{ key: "a" }, { key: "b" }]);
  expect(below.log).toEqual([]);
});

test("a range reads the blocks that it touches", async () => {
  const { below, storage } = setUp();
  const value = bytesOf(10 * blockSize);
  await storage.put("a", value);
  await collect(await storage.read("a", { start: 1, end: 2 }));
  below.log.length = 0;
  expect(
    same(
      await collect(await storage.read("a", { start: 5 * blockSize + 1, end: 5 * blockSize + 2 })),
      value.slice(5 * blockSize + 1, 5 * blockSize + 2),
    ),
  ).toBe(true);
  const stored = blockSize + 4;
  expect(below.log).toEqual([`read a ${30 + 5 * stored - 4}..${30 + 6 * stored}`]);
});

test("without streams below there are none above, and head takes what there is", async () => {
  const { storage } = setUp({}, "none");
  await storage.put("a", bytesOf(100), { metadata: { name: "text" } });
  expect(await storage.head("a")).toMatchObject({ size: 100, metadata: { name: "text" } });
  expect(await codeOf(storage.read("a"))).toBe("unsupported");
  expect(await codeOf(storage.write("a", chunksOf(bytesOf(1)), { ifNoneMatch: "*" }))).toBe("unsupported");
});

test("metadata of any names and texts comes back, also where it is longer than what is read at first", async () => {
  const { storage } = setUp();
  const odd: Metadata = Object.fromEntries([
    ["__proto__", "x"],
    ["constructor", ""],
    ["a.b_c-d~!", "\ufeffé 😀\n"],
    ["1", "one"],
    ["0", "zero"],
  ]);
  const long: Metadata = { first: "x".repeat(60_000), last: "é".repeat(1_000) };
  for (const metadata of [odd, long]) {
    await storage.put("a", bytesOf(10), { metadata });
    expect(new Map(Object.entries((await storage.head("a"))?.metadata ?? {}))).toEqual(new Map(Object.entries(metadata)));
    expect((await storage.list({ info: true })).entries[0]?.metadata).toEqual(metadata);
    expect((await storage.getEntry("a"))?.metadata).toEqual(metadata);
    const entry = await storage.read("a", { start: 5 });
    expect(entry?.metadata).toEqual(metadata);
    expect(await collect(entry)).toEqual(bytesOf(10).slice(5));
  }
});

test("metadata above 65,535 bytes is too large, and nothing is stored", async () => {
  const { storage } = setUp();
  const fits = { a: "x".repeat(65_535 - 2 - 1 - 2) };
  const over = { a: `${fits.a}x` };
  await storage.put("a", bytesOf(1), { metadata: fits });
  expect((await storage.head("a"))?.metadata).toEqual(fits);
  expect(await codeOf(storage.put("b", bytesOf(1), { metadata: over }))).toBe("too-large");
  for (const size of [undefined, 1]) {
    let cancelled = false;
    const source: ByteSource = new ReadableStream<Bytes>({
      cancel: () => {
        cancelled = true;
      },
    });
    const refused: unknown = await storage.write("b", source, { metadata: over, size }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "too-large", key: "b", operation: "write", storage: "envelope" });
    expect(cancelled).toBe(true);
  }
  const failed: unknown = await storage
    .batch([{ type: "put", key: "b", value: bytesOf(1), options: { metadata: over } }])
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "partial", failures: [{ key: "b", error: { code: "too-large", key: "b" } }] });
  expect(await storage.has("b")).toBe(false);
});

test("what is below gets neither expiry nor metadata, whatever it could do with them", async () => {
  const clock = new VirtualClock();
  const memory = memoryStorage({ clock });
  const storage = envelope({ clock })(memory);
  await storage.put("put", bytesOf(1), { ttl: 1_000, metadata: { name: "text" } });
  await storage.write("written", new Blob(["x"]), { ttl: 1_000, metadata: { name: "text" } });
  await storage.batch([{ type: "put", key: "batched", value: bytesOf(1), options: { ttl: 1_000, metadata: { name: "text" } } }]);
  for (const { expiresAt, metadata } of (await memory.list({ info: true })).entries)
    expect([expiresAt, metadata ?? {}]).toEqual([undefined, {}]);
  expect((await storage.list({ info: true })).entries).toMatchObject(
    ["batched", "put", "written"].map((key) => ({ key, expiresAt: clock.now() + 1_000, metadata: { name: "text" } })),
  );
});

test("a stream of known size is announced below with its stored size", async () => {
  const sizes: unknown[] = [];
  const clock = new VirtualClock();
  const memory = memoryStorage({ clock });
  const write = memory.write.bind(memory);
  memory.write = (key, source, options) => {
    sizes.push(options?.size);
    return write(key, source, options);
  };
  const storage = envelope({ clock })(memory);
  await storage.write("a", chunksOf(bytesOf(100_000)), { size: 100_000, metadata: { a: "b" } });
  await storage.write("a", chunksOf(bytesOf(5)));
  expect(sizes).toEqual([100_000 + 30 + 6 + 8, undefined]);
});

test("values from before the layer are corrupt, unless legacy allows them, and are counted", async () => {
  const { below, storage, clock } = setUp();
  await below.put("old", text("from before"));
  expect(await storage.get("old").catch((error: unknown) => error)).toMatchObject({ code: "corrupt", key: "old", storage: "envelope" });
  expect(await codeOf(storage.head("old"))).toBe("corrupt");
  const lenient = envelope({ clock, legacy: { until: clock.now() + 1_000 } })(below);
  await lenient.put("new", text("in an envelope"));
  expect(await lenient.get("old")).toEqual(text("from before"));
  expect(await collect(await lenient.read("old", { start: 5 }))).toEqual(text("before"));
  expect(await lenient.head("old")).toMatchObject({ key: "old", size: 11 });
  expect((await lenient.list({ info: true })).entries).toMatchObject([
    { key: "new", size: 14 },
    { key: "old", size: 11 },
  ]);
  expect(lenient.details().stats).toMatchObject({ legacyReads: 2 });
  const etag = (await lenient.head("old"))?.etag;
  expect(await codeOf(lenient.put("old", text("x"), { ifNoneMatch: "*" }))).toBe("precondition-failed");
  await clock.advance(1_000);
  for (const call of [() => lenient.get("old"), () => lenient.head("old"), () => lenient.read("old")])
    expect(await codeOf(call())).toBe("corrupt");
  await lenient.put("old", text("now in one"), { ifMatch: etag });
  expect(await lenient.get("old")).toEqual(text("now in one"));
});

test("a layout that is remembered does not outlive the time of legacy", async () => {
  const { below, clock } = setUp();
  await below.put("old", bytesOf(1_000));
  const lenient = envelope({ clock, legacy: { until: clock.now() + 1_000 } })(below);
  await collect(await lenient.read("old", { start: 5 }));
  await clock.advance(1_000);
  expect(await codeOf(lenient.read("old", { start: 5 }).then(collect))).toBe("corrupt");
});

test("a value of another layer names that layer", async () => {
  const { below, storage } = setUp();
  await below.put("a", Uint8Array.of(0x89, 0x53, 0x54, 0x57, 4, ...text("note"), 1, 9));
  await expect(storage.get("a")).rejects.toThrow('"note"');
});

test("options that make no sense are refused when the layer is made", () => {
  for (const options of [{ legacy: "yes" }, { legacy: { until: "soon" } }, { legacy: {} }, { legcay: "raw" }, { legacy: 1 }]) {
    expect(() => envelope(options as EnvelopeOptions)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
  for (const until of [new Date(), "2027-06-30", Date.now()]) expect(() => envelope({ legacy: { until } })).not.toThrow();
});

test("a storage file makes the same layer", async () => {
  const memory = memoryStorage();
  await memory.put("old", text("from before"));
  const [plugin] = plugins;
  if (plugin?.kind !== "layer") throw new Error("It must be a layer.");
  const context = { storage: "pages", clock: new VirtualClock() };
  const make = (options: EnvelopeOptions): ByteStorage => (plugin.make as (...given: unknown[]) => ByteLayer)(options, context)(memory);
  expect([plugin.name, plugin.traits]).toEqual(["envelope", ["envelops"]]);
  expect(await codeOf(make({}).get("old"))).toBe("corrupt");
  expect(await make({ legacy: "raw" }).get("old")).toEqual(text("from before"));
  expect(await make({ legacy: { until: "2027-06-30" } }).get("old")).toEqual(text("from before"));
  expect(await codeOf(make({ legacy: { until: "2020-06-30" } }).get("old"))).toBe("corrupt");
});

test("the abilities are those of below, with lazy ttl and metadata; creating takes replacing", () => {
  const make = (conditions: readonly ("create" | "replace" | "delete" | "stream")[]) =>
    envelope()(new Below(memoryStorage(), { conditions })).capabilities;
  expect(make(["create", "replace", "delete", "stream"])).toMatchObject({
    ttl: "lazy",
    metadata: true,
    conditions: ["create", "replace", "delete", "stream"],
    list: "ordered",
  });
  expect(make(["create", "delete"]).conditions).toEqual(["delete"]);
  expect(make([]).conditions).toEqual([]);
});

test("a put whose expiry is past removes what is there, under its condition, and leaves nothing below", async () => {
  const { below, storage, clock } = setUp();
  const past = clock.now() - 1;
  const { etag } = await storage.put("put", bytesOf(1));
  await storage.put("put", bytesOf(2), { expiresAt: past, ifMatch: etag });
  await storage.put("new", bytesOf(2), { expiresAt: past, ifNoneMatch: "*" });
  await storage.put("plain", bytesOf(1));
  await storage.put("plain", bytesOf(2), { expiresAt: past });
  await storage.write("written", chunksOf(bytesOf(100)), { expiresAt: past });
  await storage.batch([{ type: "put", key: "batched", value: bytesOf(1), options: { expiresAt: past, ifNoneMatch: "*" } }], {
    atomic: true,
  });
  expect((await below.list()).entries).toEqual([]);
  await storage.put("put", bytesOf(1));
  expect(await codeOf(storage.put("put", bytesOf(2), { expiresAt: past, ifNoneMatch: "*" }))).toBe("precondition-failed");
  expect(await codeOf(storage.put("put", bytesOf(2), { expiresAt: past, ifMatch: "other" }))).toBe("precondition-failed");
  expect(await storage.get("put")).toEqual(bytesOf(1));
});

test("a prefix under which everything has expired is not in a list with info", async () => {
  const { storage, clock, below } = setUp();
  await storage.put("dead/a", bytesOf(1), { ttl: 10 });
  await storage.put("dead/b", bytesOf(1), { ttl: 10 });
  await storage.put("half/a", bytesOf(1), { ttl: 10 });
  await storage.put("half/b", bytesOf(1));
  await below.put("odd/a", text("not in an envelope"));
  await clock.advance(10);
  expect((await storage.list({ delimiter: "/", info: true })).prefixes).toEqual(["half/", "odd/"]);
  expect((await storage.list({ delimiter: "/", info: true, startAfter: "half/b" })).prefixes).toEqual(["odd/"]);
  await storage.put("half/c", bytesOf(1), { ttl: 10 });
  await clock.advance(10);
  expect((await storage.list({ delimiter: "/", info: true, startAfter: "half/b" })).prefixes).toEqual(["odd/"]);
  expect((await storage.list({ delimiter: "/", info: true, startAfter: "half/a" })).prefixes).toEqual(["half/", "odd/"]);
  expect((await storage.list({ delimiter: "/" })).prefixes).toEqual(["dead/", "half/", "odd/"]);
});

test("a prefix under which something cannot be read is in a list with info, whatever below says is wrong with it", async () => {
  const clock = new VirtualClock();
  const mock = mockStorage({ clock });
  const storage = envelope({ clock })(mock);
  const codes = ["corrupt", "tampered", "wrong-key", "unknown-key", "unsupported", "invalid-value"] as const;
  for (const name of ["dead", ...codes]) await storage.put(`${name}/a`, text("x"), { ttl: 10 });
  await clock.advance(10);
  for (const code of codes) mock.on("read", `${code}/a`).fails(code);
  expect((await storage.list({ delimiter: "/", info: true })).prefixes).toEqual(codes.map((code) => `${code}/`).toSorted());
  mock.on("read", "dead/a").fails("denied");
  expect(await codeOf(storage.list({ delimiter: "/", info: true }))).toBe("denied");
});

test("the counters tell what was done", async () => {
  const { storage, clock, below } = setUp();
  await storage.put("a", bytesOf(10), { ttl: 10 });
  await storage.write("b", chunksOf(bytesOf(10)));
  await storage.get("a");
  await collect(await storage.read("b"));
  await clock.advance(10);
  await storage.get("a");
  await below.put("c", text("?"));
  await storage.get("c").catch(() => {});
  await findLayer(storage, EnvelopeStorage)?.sweep();
  expect(storage.details()).toEqual({
    options: { legacy: undefined },
    stats: { encodedValues: 2, decodedValues: 2, expired: 1, damaged: 2, legacyReads: 0, swept: 1 },
  });
});
