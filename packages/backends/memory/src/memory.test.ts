import type { Bytes, Clock, EntryInfo, Operation } from "@stowage/core";
import { StorageError } from "@stowage/core";
import * as fc from "fast-check";
import { expect, expectTypeOf, test } from "vitest";
import { ByteMemoryStorage } from "./byte-memory-storage.ts";
import { memoryStorage } from "./memory.ts";
import { MemoryStorage } from "./memory-storage.ts";

const bytes = (...values: number[]): Bytes => new Uint8Array(values);
const code = (wanted: string) => expect.objectContaining({ name: "StorageError", code: wanted });

test("what is put is given back, with its size, etag and time", async () => {
  const storage = memoryStorage({ clock: clockAt(1000) });
  const info = await storage.put("a", bytes(1, 2, 3), { metadata: { kind: "note" } });
  expect(info).toEqual({ key: "a", size: 3, etag: expect.any(String), modifiedAt: 1000, metadata: { kind: "note" } });
  expect(await storage.getEntry("a")).toEqual({ ...info, value: bytes(1, 2, 3) });
  expect(await storage.head("a")).toEqual(info);
  expect(await storage.get("b")).toBeUndefined();
});

test("bytes are copied in and out", async () => {
  const storage = memoryStorage();
  const value = bytes(1, 2, 3);
  await storage.put("a", value);
  value[0] = 9;
  const first = await storage.get("a");
  first![1] = 9;
  expect(await storage.get("a")).toEqual(bytes(1, 2, 3));
});

test("with share the very value comes back, as long as it is plain bytes", async () => {
  const storage = memoryStorage({ share: true });
  const value = bytes(1, 2, 3);
  await storage.put("a", value);
  expect(await storage.get("a")).toBe(value);
  await storage.put("b", Buffer.from("pooled"));
  const given = await storage.get("b");
  expect(Object.getPrototypeOf(given)).toBe(Uint8Array.prototype);
  expect(given!.buffer.byteLength).toBe(6);
});

test("values of any kind are copied, or shared on request", async () => {
  const user = { name: "Ada", tags: ["x"] };
  const copying = memoryStorage<typeof user>({ values: "any" });
  await copying.put("ada", user);
  const given = await copying.get("ada");
  given!.tags.push("y");
  expect(await copying.get("ada")).toEqual({ name: "Ada", tags: ["x"] });
  const sharing = memoryStorage<typeof user>({ values: "any", share: true });
  await sharing.put("ada", user);
  expect(await sharing.get("ada")).toBe(user);
});

test("values of any kind have no size until it is said how to measure them", async () => {
  const storage = memoryStorage<string>({ values: "any" });
  expect(await storage.put("a", "abc")).not.toHaveProperty("size");
  const measured = memoryStorage<string>({ values: "any", sizeOf: (value) => value.length, maxSize: 3 });
  expect(await measured.put("a", "abc")).toMatchObject({ size: 3 });
  await expect(measured.put("b", "d")).rejects.toEqual(code("full"));
});

test("only a storage of bytes reads and writes streams", () => {
  expect("read" in memoryStorage()).toBe(true);
  expect("read" in memoryStorage({ values: "any" })).toBe(false);
  expect(memoryStorage().capabilities).toMatchObject({ streams: "buffered", conditions: ["create", "replace", "delete", "stream"] });
  expect(memoryStorage({ values: "any" }).capabilities).toMatchObject({ streams: "none", conditions: ["create", "replace", "delete"] });
  expectTypeOf(memoryStorage<number>({ values: "any" }).get("a")).resolves.toEqualTypeOf<number | undefined>();
});

test("what makes no sense is refused when the storage is made", () => {
  expect(() => memoryStorage({ maxEntries: 0 })).toThrow(code("invalid-option"));
  expect(() => memoryStorage({ maxSize: 1.5 })).toThrow(code("invalid-option"));
  expect(() => memoryStorage({ values: "any", maxSize: 10 })).toThrow(code("invalid-option"));
  // @ts-expect-error only "any" is a kind of values
  expect(() => memoryStorage({ values: "text" })).toThrow(code("invalid-option"));
});

test("undefined is not a value, and text is not bytes", async () => {
  await expect(memoryStorage({ values: "any" }).put("a", undefined)).rejects.toEqual(code("invalid-value"));
  // @ts-expect-error text is not bytes
  await expect(memoryStorage().put("a", "text")).rejects.toEqual(code("invalid-value"));
});

test("over maxEntries a new key is full, while an old one may still be replaced", async () => {
  const storage = memoryStorage({ maxEntries: 2 });
  await storage.put("a", bytes(1));
  await storage.put("b", bytes(2));
  await expect(storage.put("c", bytes(3))).rejects.toEqual(code("full"));
  await storage.put("a", bytes(4));
  await storage.delete("b");
  await storage.put("c", bytes(3));
  expect(storage.details().stats).toEqual({ entries: 2, size: 2 });
});

test("over maxSize a put is full, and the old value stays", async () => {
  const storage = memoryStorage({ maxSize: 4 });
  await storage.put("a", bytes(1, 2, 3));
  await expect(storage.put("a", bytes(1, 2, 3, 4, 5))).rejects.toEqual(code("full"));
  await expect(storage.put("b", bytes(1, 2))).rejects.toEqual(code("full"));
  expect(await storage.get("a")).toEqual(bytes(1, 2, 3));
  await storage.put("a", bytes(1, 2, 3, 4));
});

test("a stream that outgrows maxSize is stopped before it is held in memory", async () => {
  const storage = memoryStorage({ maxSize: 10 });
  let given = 0;
  let cancelled = false;
  async function* endless(): AsyncGenerator<Bytes> {
    try {
      for (;;) {
        given++;
        yield bytes(1, 2, 3, 4);
      }
    } finally {
      cancelled = true;
    }
  }
  await expect(storage.write("a", endless())).rejects.toEqual(code("full"));
  expect(given).toBe(3);
  expect(cancelled).toBe(true);
  expect(await storage.has("a")).toBe(false);
});

test("expired entries give up their room when it is needed", async () => {
  const clock = clockAt(0);
  const storage = memoryStorage({ maxEntries: 3, clock });
  for (const key of ["a", "b", "c"]) await storage.put(key, bytes(1), { ttl: 10 });
  await expect(storage.put("d", bytes(1))).rejects.toEqual(code("full"));
  clock.time = 10;
  await storage.put("d", bytes(1));
  expect(await storage.list()).toEqual({ entries: [{ key: "d" }], prefixes: [] });
});

test("expired entries leave the memory as others are put, without being asked for", async () => {
  const clock = clockAt(0);
  const storage = memoryStorage({ clock });
  for (let index = 0; index < 100; index++) await storage.put(`old-${index}`, bytes(1), { ttl: 10 });
  clock.time = 10;
  for (let index = 0; index < 50; index++) await storage.put(`new-${index}`, bytes(1));
  expect(storage.details().stats).toEqual({ entries: 50, size: 50 });
});

test("a key that is put again with another life lives that life", async () => {
  const clock = clockAt(0);
  const storage = memoryStorage({ clock });
  await storage.put("a", bytes(1), { ttl: 10 });
  await storage.put("a", bytes(2));
  await storage.put("b", bytes(1), { ttl: 10 });
  await storage.put("b", bytes(1), { ttl: 20 });
  clock.time = 10;
  expect(await storage.get("a")).toEqual(bytes(2));
  expect(await storage.has("b")).toBe(true);
  clock.time = 20;
  expect(await storage.has("b")).toBe(false);
});

test("a put whose expiry is past removes the entry", async () => {
  const storage = memoryStorage({ clock: clockAt(1000) });
  await storage.put("a", bytes(1));
  await storage.put("a", bytes(2), { expiresAt: 999 });
  expect(await storage.get("a")).toBeUndefined();
});

test("an atomic batch that fails leaves everything as it was, etags and expiry too", async () => {
  const clock = clockAt(0);
  const storage = memoryStorage({ clock, maxEntries: 3 });
  await storage.put("a", bytes(1), { ttl: 10, metadata: { kind: "note" } });
  await storage.put("b", bytes(2));
  const before = await storage.getEntries(["a", "b", "c"]);
  const operations: Operation<Bytes>[] = [
    { type: "put", key: "a", value: bytes(9) },
    { type: "delete", key: "b" },
    { type: "put", key: "b", value: bytes(8) },
    { type: "put", key: "c", value: bytes(7) },
    { type: "put", key: "d", value: bytes(6) },
  ];
  await expect(storage.batch(operations, { atomic: true })).rejects.toEqual(code("full"));
  expect(await storage.getEntries(["a", "b", "c"])).toEqual(before);
  expect(storage.details().stats).toEqual({ entries: 2, size: 2 });
  clock.time = 10;
  expect(await storage.list()).toEqual({ entries: [{ key: "b" }], prefixes: [] });
});

test("a batch that is not atomic does what it can and names what failed", async () => {
  const storage = memoryStorage({ maxEntries: 1 });
  const failure = await storage
    .batch([
      { type: "put", key: "a", value: bytes(1) },
      { type: "put", key: "b", value: bytes(2) },
      { type: "put", key: "a", value: bytes(3) },
    ])
    .catch((error: unknown) => error);
  expect(StorageError.is(failure, "partial") && failure.failures).toEqual([{ index: 1, key: "b", error: code("full") }]);
  expect(await storage.get("a")).toEqual(bytes(3));
});

test("a stream that is being read keeps its bytes while the entry is replaced", async () => {
  const storage = memoryStorage();
  const large = new Uint8Array(200_000).fill(7);
  await storage.put("a", large);
  const entry = await storage.read("a", { start: 1 });
  await storage.put("a", bytes(1));
  expect(new Uint8Array(await new Response(entry!.value).arrayBuffer())).toEqual(large.slice(1));
});

test("the stream of a read ends with the reason of its signal", async () => {
  const storage = memoryStorage();
  await storage.put("a", new Uint8Array(200_000));
  const stop = new AbortController();
  const reader = (await storage.read("a", { signal: stop.signal }))!.value.getReader();
  await reader.read();
  stop.abort(new Error("enough"));
  await expect(reader.read()).rejects.toThrow("enough");
});

test("a closed storage lets go of its entries", async () => {
  const storage = memoryStorage();
  await storage.put("a", bytes(1));
  await storage.close();
  await expect(storage.get("a")).rejects.toEqual(code("closed"));
  expect(storage.details().stats).toEqual({ entries: 0, size: 0 });
});

test("a cursor that this storage did not give is refused", async () => {
  await expect(memoryStorage().list({ cursor: "nonsense" })).rejects.toEqual(code("invalid-option"));
});

test("paging shows what a filter over all sorted keys shows, whatever prefix, delimiter, start and limit", async () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "/", "\uffee", "😀"), minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 30 }),
      fc.option(key, { nil: undefined }),
      fc.constantFrom(undefined, "/", "b/"),
      fc.option(key, { nil: undefined }),
      fc.integer({ min: 1, max: 5 }),
      async (keys, prefix, delimiter, startAfter, limit) => {
        const storage = memoryStorage();
        for (const name of keys) await storage.put(name, bytes());
        const wanted = naiveList(keys, prefix, delimiter, startAfter);
        const entries: EntryInfo[] = [];
        const prefixes: string[] = [];
        let page = await storage.list({ prefix, delimiter, startAfter, limit });
        for (;;) {
          expect(page.entries.length + page.prefixes.length).toBeLessThanOrEqual(limit);
          entries.push(...page.entries);
          prefixes.push(...page.prefixes);
          if (page.cursor === undefined) break;
          page = await storage.list({ prefix, delimiter, cursor: page.cursor, limit });
        }
        expect({ keys: entries.map((entry) => entry.key), prefixes }).toEqual(wanted);
      },
    ),
  );
});

test("a cursor goes on behind its key when that key is gone, and shows keys that came behind it", async () => {
  const storage = memoryStorage();
  for (const key of ["a", "b", "d"]) await storage.put(key, bytes());
  const first = await storage.list({ limit: 2 });
  await storage.delete("b");
  await storage.put("c", bytes());
  expect((await storage.list({ cursor: first.cursor })).entries).toEqual([{ key: "c" }, { key: "d" }]);
});

test("clear with a prefix removes what is under it and nothing else", async () => {
  const storage = memoryStorage();
  for (const key of ["a", "a/1", "a/2", "b"]) await storage.put(key, bytes());
  await storage.clear({ prefix: "a/" });
  expect((await storage.list()).entries).toEqual([{ key: "a" }, { key: "b" }]);
  await storage.clear();
  expect((await storage.list()).entries).toEqual([]);
});

test("the classes tell what a storage is made of", () => {
  expect(memoryStorage()).toBeInstanceOf(ByteMemoryStorage);
  expect(memoryStorage({ values: "any" })).toBeInstanceOf(MemoryStorage);
  expect(memoryStorage({ maxEntries: 5 }).details().options).toEqual({ maxEntries: 5, share: false });
});

function naiveList(all: readonly string[], prefix = "", delimiter: string | undefined, startAfter: string | undefined) {
  const keys: string[] = [];
  const prefixes = new Set<string>();
  for (const key of all.toSorted(byBytes)) {
    if (!key.startsWith(prefix) || (startAfter !== undefined && byBytes(key, startAfter) <= 0)) continue;
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (end === -1) keys.push(key);
    else prefixes.add(key.slice(0, end + delimiter!.length));
  }
  return { keys, prefixes: Array.from(prefixes) };
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function clockAt(time: number): Clock & { time: number } {
  return {
    time,
    now() {
      return this.time;
    },
    sleep: () => new Promise(() => {}),
  };
}
