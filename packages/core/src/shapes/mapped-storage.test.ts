import { expect, test } from "vitest";
import { HandClock, MapStorage } from "../../test/map-storage.ts";
import { StorageError } from "../contract/storage-error.ts";
import { MappedStorage } from "./mapped-storage.ts";

/** Numbers kept as text. */
class Numbers extends MappedStorage<number, string> {
  readonly name = "numbers";

  protected override encode(value: number, key: string): string | Promise<string> {
    if (Number.isNaN(value)) throw new StorageError("invalid-value", "NaN is no number.", { storage: this.name, key });
    return value < 0 ? Promise.resolve(String(value)) : String(value);
  }

  protected override decode(value: string): number {
    return Number(value);
  }
}

test("values are encoded on their way down and decoded on their way up, now or later", async () => {
  const inner = new MapStorage<string>();
  const storage = new Numbers(inner);
  for (const value of [1, -1]) {
    await storage.put("k", value);
    expect(await inner.get("k")).toBe(String(value));
    expect(await storage.get("k")).toBe(value);
    expect(await storage.getEntry("k")).toMatchObject({ key: "k", value });
    expect(await storage.getEntries(["none", "k"])).toMatchObject([undefined, { value }]);
  }
  expect([await storage.get("none"), await storage.getEntry("none")]).toEqual([undefined, undefined]);
});

test("a ttl becomes an expiry by its own clock, in a put and in a batch", async () => {
  const clock = new HandClock();
  const storage = new Numbers(new MapStorage<string>({ clock }), clock);
  await storage.put("a", 1, { ttl: 1_000 });
  await storage.batch([{ type: "put", key: "b", value: 2, options: { ttl: 1_000 } }]);
  expect(await storage.getEntries(["a", "b"])).toMatchObject([{ expiresAt: clock.now() + 1_000 }, { expiresAt: clock.now() + 1_000 }]);
});

test("a value that cannot be encoded fails alone in a batch, with its place in what was handed in", async () => {
  const inner = new MapStorage<string>();
  const storage = new Numbers(inner);
  const batch = storage.batch([
    { type: "put", key: "a", value: Number.NaN },
    { type: "put", key: "b", value: -2 },
    { type: "delete", key: "none" },
    { type: "put", key: "", value: 3 },
  ]);
  await expect(batch).rejects.toMatchObject({
    code: "partial",
    storage: "numbers",
    message: "2 of 4 operations failed; see failures.",
    failures: [
      { index: 0, key: "a", error: { code: "invalid-value" } },
      { index: 3, key: "", error: { code: "invalid-key" } },
    ],
  });
  expect(await inner.get("b")).toBe("-2");
});

test("an atomic batch with a value that cannot be encoded is not sent", async () => {
  const inner = new MapStorage<string>({ capabilities: { atomicBatch: true } });
  const batch = new Numbers(inner).batch(
    [
      { type: "put", key: "b", value: 2 },
      { type: "put", key: "a", value: Number.NaN },
    ],
    { atomic: true },
  );
  await expect(batch).rejects.toMatchObject({ code: "invalid-value" });
  expect(inner.calls).toEqual([]);
});

test("an error about the whole batch arrives as it is", async () => {
  const failure = new StorageError("unavailable", "down");
  const inner = new MapStorage<string>();
  inner.batch = () => Promise.reject(failure);
  const storage = new Numbers(inner);
  await expect(storage.batch([{ type: "put", key: "a", value: 1 }])).rejects.toBe(failure);
  await expect(storage.batch([{ type: "put", key: "a", value: Number.NaN }])).rejects.toBe(failure);
});

test("an option of a batch that makes no sense rejects all of it", async () => {
  const inner = new MapStorage<string>();
  const batch = new Numbers(inner).batch([{ type: "put", key: "a", value: 1, options: { ttl: -1 } }]);
  await expect(batch).rejects.toMatchObject({ code: "invalid-option", storage: "numbers" });
  expect(inner.calls).toEqual([]);
});

test("it promises what is below but for streams", () => {
  const inner = new MapStorage<string>();
  expect(new Numbers(inner).capabilities).toEqual({ ...inner.capabilities, streams: "none", conditions: ["create", "replace", "delete"] });
});
