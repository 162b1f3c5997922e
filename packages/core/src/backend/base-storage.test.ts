import { expect, test } from "vitest";
import { MapStorage } from "../../test/map-storage.ts";
import { StorageError } from "../contract/storage-error.ts";

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `key${String(index).padStart(3, "0")}`);

async function filled(count: number): Promise<MapStorage<number>> {
  const storage = new MapStorage<number>();
  for (const [index, key] of keys(count).entries()) await storage.put(key, index);
  storage.calls.length = 0;
  return storage;
}

test("get and has are told from the entry and its info", async () => {
  const storage = await filled(1);
  expect([await storage.get("key000"), await storage.get("none")]).toEqual([0, undefined]);
  expect([await storage.has("key000"), await storage.has("none")]).toEqual([true, false]);
});

test("getEntries answers in the order of the keys", async () => {
  const storage = await filled(50);
  const wanted = ["none", ...keys(50).toReversed()];
  const entries = await storage.getEntries(wanted);
  expect(entries.map((entry) => entry?.key)).toEqual([undefined, ...keys(50).toReversed()]);
});

test("getEntries refuses a bad key before any is asked for", async () => {
  const storage = await filled(2);
  await expect(storage.getEntries(["key000", ""])).rejects.toMatchObject({ code: "invalid-key", operation: "getEntries" });
  expect(storage.calls).toEqual([]);
});

test("getEntries is all or a rejection", async () => {
  const storage = await filled(2);
  storage.getEntry = () => Promise.reject(new StorageError("unavailable", "down"));
  await expect(storage.getEntries(["key000", "key001"])).rejects.toMatchObject({ code: "unavailable" });
});

test("a batch tries every operation and tells which failed", async () => {
  const storage = await filled(0);
  const batch = storage.batch([
    { type: "put", key: "a", value: 1 },
    { type: "put", key: "", value: 2 },
    { type: "delete", key: "none" },
    { type: "put", key: "\uD800", value: 3 },
    { type: "put", key: "b", value: 4 },
  ]);
  await expect(batch).rejects.toMatchObject({
    code: "partial",
    retryable: false,
    outcome: "none",
    failures: [
      { index: 1, key: "", error: { code: "invalid-key" } },
      { index: 3, key: "\uD800", error: { code: "invalid-key" } },
    ],
  });
  expect([await storage.get("a"), await storage.get("b")]).toEqual([1, 4]);
});

test("operations on one key keep their order, also when one of them fails", async () => {
  const storage = await filled(0);
  await storage.batch([
    { type: "put", key: "a", value: 1 },
    { type: "delete", key: "a" },
    { type: "put", key: "a", value: 2 },
    { type: "put", key: "b", value: 3 },
    { type: "delete", key: "b" },
  ]);
  expect([await storage.get("a"), await storage.get("b")]).toEqual([2, undefined]);
});

test("partial is retryable and of unknown outcome as its failures are", async () => {
  const storage = await filled(0);
  const put = storage.put.bind(storage);
  storage.put = (key, value, options) =>
    key === "bad" ? Promise.reject(new StorageError("timeout", "slow", { outcome: "unknown" })) : put(key, value, options);
  await expect(storage.batch([{ type: "put", key: "bad", value: 1 }])).rejects.toMatchObject({ retryable: true, outcome: "unknown" });
  const mixed = [{ type: "put", key: "bad", value: 1 } as const, { type: "put", key: "", value: 1 } as const];
  await expect(storage.batch(mixed)).rejects.toMatchObject({ retryable: false, outcome: "unknown" });
});

test("an abort ends a batch with its reason and starts nothing more", async () => {
  const storage = await filled(0);
  const abort = new AbortController();
  const put = storage.put.bind(storage);
  storage.put = (key, value, options) => {
    if (key === "key003") abort.abort(new Error("enough"));
    return put(key, value, options);
  };
  const operations = keys(100).map((key) => ({ type: "put", key, value: 1 }) as const);
  await expect(storage.batch(operations, { signal: abort.signal })).rejects.toThrow("enough");
  expect(storage.calls.length).toBeLessThan(40);
});

test("a backend that promises atomic batches and does not override them is told so", async () => {
  const storage = new MapStorage<number>({ capabilities: { atomicBatch: true } });
  await expect(storage.batch([{ type: "put", key: "a", value: 1 }], { atomic: true })).rejects.toMatchObject({ code: "internal" });
});

test("clear removes everything, or all below a prefix", async () => {
  const storage = await filled(30);
  await storage.clear({ prefix: "key02" });
  expect((await storage.list()).entries.length).toBe(20);
  await storage.clear();
  expect((await storage.list()).entries).toEqual([]);
});

test("clear tries every key and tells which stayed", async () => {
  const storage = await filled(3);
  const remove = storage.delete.bind(storage);
  storage.delete = (key, options) => (key === "key001" ? Promise.reject(new StorageError("denied", "no")) : remove(key, options));
  await expect(storage.clear()).rejects.toMatchObject({ code: "partial", operation: "clear", failures: [{ key: "key001" }] });
  expect((await storage.list()).entries).toEqual([{ key: "key001" }]);
});

test("await using closes a storage", async () => {
  const storage = await filled(0);
  await storage[Symbol.asyncDispose]();
  expect(storage.closed).toBe(1);
});
