import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, readText, TrackedSource } from "../../test/map-storage.ts";
import { borrowed } from "./borrowed.ts";

async function filled(): Promise<MapByteStorage> {
  const storage = new MapByteStorage();
  await storage.put("key", bytesOf("hello"));
  return storage;
}

test("closing leaves the inner storage open, for its owner and for other borrowers", async () => {
  const inner = await filled();
  const [first, second] = [borrowed()(inner), borrowed()(inner)];
  await first.close();
  await first.close();
  expect(inner.closed).toBe(0);
  expect([await second.has("key"), await inner.has("key")]).toEqual([true, true]);
});

test("every call after close is refused, and the source of a write is cancelled", async () => {
  const inner = await filled();
  const storage = borrowed()(inner);
  await storage[Symbol.asyncDispose]();
  inner.calls.length = 0;
  const source = new TrackedSource(["a"]);
  const calls = [
    storage.get("key"),
    storage.getEntry("key"),
    storage.getEntries(["key"]),
    storage.head("key"),
    storage.has("key"),
    storage.list(),
    storage.put("key", bytesOf("a")),
    storage.delete("key"),
    storage.batch([]),
    storage.clear(),
    storage.read("key"),
    storage.write("key", source.stream),
    storage.flush(),
  ];
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "closed", storage: "borrowed" } });
  }
  expect([source.isCancelled, inner.calls]).toEqual([true, []]);
});

test("calls that run and streams that were handed out go on", async () => {
  const storage = borrowed()(await filled());
  const entry = await storage.read("key");
  const running = storage.get("key");
  await storage.close();
  expect([await readText(entry?.value), await running]).toEqual(["hello", bytesOf("hello")]);
});
