import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, readText, textOf, TrackedSource } from "../../test/map-storage.ts";

async function filled(options?: ConstructorParameters<typeof MapByteStorage>[0]): Promise<MapByteStorage> {
  const storage = new MapByteStorage(options);
  await storage.put("key", bytesOf("hello"));
  return storage;
}

test("read gives a part with the size and etag of the whole", async () => {
  const storage = await filled();
  const entry = await storage.read("key", { start: 1, end: -1 });
  expect(await readText(entry?.value)).toBe("ell");
  expect(entry).toMatchObject({ key: "key", size: 5, etag: "1" });
  expect(await storage.read("none")).toBeUndefined();
});

test("read of another version than asked for fails, also where nothing is", async () => {
  const storage = await filled();
  expect(await readText((await storage.read("key", { ifMatch: "1" }))?.value)).toBe("hello");
  await expect(storage.read("key", { ifMatch: "2" })).rejects.toMatchObject({ code: "precondition-failed", operation: "read", key: "key" });
  await expect(storage.read("none", { ifMatch: "1" })).rejects.toMatchObject({ code: "precondition-failed" });
});

test("a stream from read ends with the signal of its call", async () => {
  const storage = await filled();
  const abort = new AbortController();
  const entry = await storage.read("key", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(readText(entry?.value)).rejects.toThrow("enough");
});

test("write stores what the source gives", async () => {
  const storage = await filled();
  const info = await storage.write("key", new TrackedSource(["a", "b"]).stream, { size: 2, metadata: { a: "b" } });
  expect(info).toMatchObject({ key: "key", size: 2, metadata: { a: "b" } });
  expect(textOf(await storage.get("key"))).toBe("ab");
});

test("a source that gives more or fewer bytes than declared stores nothing", async () => {
  const storage = await filled();
  const long = new TrackedSource(["a", "b", "c", "d"]);
  await expect(storage.write("key", long.stream, { size: 2 })).rejects.toMatchObject({
    code: "invalid-value",
    operation: "write",
    key: "key",
  });
  expect(long.isCancelled).toBe(true);
  await expect(storage.write("key", new Blob(["a"]), { size: 2 })).rejects.toThrow("said to give 2 bytes and gave 1");
  expect(textOf(await storage.get("key"))).toBe("hello");
});

test("a write that is refused cancels its source without reading it", async () => {
  const refusals: [key: string, options: object, capabilities?: object][] = [
    ["", {}],
    ["key", { ttl: -1 }],
    ["key", { size: -1 }],
    ["key", { ifMatch: "1", ifNoneMatch: "*" }],
    ["key", { signal: AbortSignal.abort() }],
    ["key", {}, { streams: "none" }],
    ["key", { metadata: {} }, { metadata: false }],
  ];
  for (const [key, options, capabilities] of refusals) {
    const source = new TrackedSource(["a"]);
    await expect((await filled({ capabilities })).write(key, source.stream, options)).rejects.toBeDefined();
    expect(source).toMatchObject({ isCancelled: true, pulled: 0 });
  }
});

test("what is no source is refused", async () => {
  await expect((await filled()).write("key", "text" as never)).rejects.toMatchObject({ code: "invalid-value", key: "key" });
});

test("a storage without streams refuses to read as one", async () => {
  await expect((await filled({ capabilities: { streams: "none" } })).read("key")).rejects.toMatchObject({ code: "unsupported" });
});
