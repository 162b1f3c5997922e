import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, readText, textOf, TrackedSource } from "../../test/map-storage.ts";
import { readOnly } from "./read-only.ts";

async function filled(): Promise<MapByteStorage> {
  const storage = new MapByteStorage();
  await storage.put("key", bytesOf("hello"));
  storage.calls.length = 0;
  return storage;
}

test("reads pass", async () => {
  const storage = readOnly()(await filled());
  expect(textOf(await storage.get("key"))).toBe("hello");
  expect(await storage.has("key")).toBe(true);
  expect(await storage.head("key")).toMatchObject({ size: 5 });
  expect(await readText((await storage.read("key"))?.value)).toBe("hello");
  expect((await storage.list()).entries).toEqual([{ key: "key" }]);
  await storage.flush();
});

test("every write is refused before any I/O", async () => {
  const inner = await filled();
  const storage = readOnly()(inner);
  const source = new TrackedSource(["a"]);
  const refused = { code: "read-only", storage: "readOnly", retryable: false, outcome: "none" };
  await expect(storage.put("key", bytesOf("a"))).rejects.toMatchObject({ ...refused, operation: "put", key: "key" });
  await expect(storage.delete("key")).rejects.toMatchObject({ ...refused, operation: "delete", key: "key" });
  await expect(storage.batch([])).rejects.toMatchObject({ ...refused, operation: "batch" });
  await expect(storage.clear()).rejects.toMatchObject({ ...refused, operation: "clear" });
  await expect(storage.write("key", source.stream)).rejects.toMatchObject({ ...refused, operation: "write", key: "key" });
  expect(source).toMatchObject({ isCancelled: true, pulled: 0 });
  await expect(storage.write("key", "text" as never)).rejects.toMatchObject(refused);
  expect(inner.calls).toEqual([]);
});

test("it promises no conditions and no atomic batches", async () => {
  const { capabilities } = readOnly()(new MapByteStorage({ capabilities: { atomicBatch: true } }));
  expect(capabilities).toMatchObject({ conditions: [], atomicBatch: false, metadata: true, ttl: "native" });
});

test("closing it closes what is below", async () => {
  const inner = await filled();
  await readOnly()(inner).close();
  expect(inner.closed).toBe(1);
});
