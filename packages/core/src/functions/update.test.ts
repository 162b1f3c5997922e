import { expect, test } from "vitest";
import { HandClock, MapStorage } from "../../test/map-storage.ts";
import { StorageError } from "../contract/storage-error.ts";
import { removed, update } from "./update.ts";

test("an entry is changed by what it is, or made", async () => {
  const storage = new MapStorage<number>();
  expect(await update(storage, "visits", (count = 0) => count + 1)).toMatchObject({ key: "visits", value: 1, etag: "1" });
  expect(await update(storage, "visits", async (count = 0) => count + 1)).toMatchObject({ value: 2, etag: "2" });
  expect(await storage.get("visits")).toBe(2);
});

test("all of many updates at once count", async () => {
  const storage = new MapStorage<number>();
  await Promise.all(Array.from({ length: 40 }, () => update(storage, "visits", (count = 0) => count + 1, { attempts: 100 })));
  expect(await storage.get("visits")).toBe(40);
});

test("undefined leaves all as it is, also when it was changed in place", async () => {
  const storage = new MapStorage<number[]>();
  await storage.put("list", [1]);
  storage.calls.length = 0;
  expect(await update(storage, "list", () => undefined)).toMatchObject({ value: [1] });
  expect(await update(storage, "none", () => undefined)).toBeUndefined();
  expect(storage.calls).toEqual(["getEntry list", "getEntry none"]);
});

test("removed deletes the version that was read, and nothing where nothing is", async () => {
  const storage = new MapStorage<number>();
  await storage.put("key", 1);
  expect(await update(storage, "key", () => removed)).toBeUndefined();
  expect(await update(storage, "key", () => removed)).toBeUndefined();
  expect(await storage.has("key")).toBe(false);
});

test("a value that another wrote in between is not deleted", async () => {
  const storage = new MapStorage<number>();
  await storage.put("key", 1);
  await update(storage, "key", async (value) => {
    if (value !== 1) return undefined;
    await storage.put("key", 2);
    return removed;
  });
  expect(await storage.get("key")).toBe(2);
});

test("metadata and expiry stay unless others are given", async () => {
  const clock = new HandClock();
  const storage = new MapStorage<number>({ clock });
  await storage.put("key", 1, { metadata: { a: "b" }, ttl: 1_000 });
  const expiresAt = clock.now() + 1_000;
  await clock.advance(10);
  expect(await update(storage, "key", () => 2)).toMatchObject({ metadata: { a: "b" }, expiresAt });
  expect(await update(storage, "key", () => 3, { metadata: {}, ttl: 50 })).toMatchObject({ metadata: {}, expiresAt: clock.now() + 50 });
});

test("a lost race is run again with the new value", async () => {
  const storage = new MapStorage<number>();
  const seen: unknown[] = [];
  await update(storage, "key", async (value) => {
    seen.push(value);
    if (seen.length === 1) await storage.put("key", 10);
    return (value ?? 0) + 1;
  });
  expect([seen, await storage.get("key")]).toEqual([[undefined, 10], 11]);
});

test("when every try loses, it is a conflict that may be tried again", async () => {
  const clock = new HandClock();
  const storage = new MapStorage<number>();
  let tries = 0;
  const lost = update(
    storage,
    "key",
    async () => {
      await storage.put("key", ++tries);
      return -1;
    },
    { attempts: 3, clock },
  );
  const failed = expect(lost).rejects.toMatchObject({
    code: "conflict",
    retryable: true,
    outcome: "none",
    cause: { code: "precondition-failed" },
  });
  await clock.advance(1_000);
  await failed;
  expect([tries, await storage.get("key")]).toEqual([3, 3]);
});

test("the pauses between tries grow, differ, and end with the signal", async () => {
  const clock = new HandClock();
  const storage = new MapStorage<number>();
  storage.put = () => Promise.reject(new StorageError("conflict", "busy"));
  const abort = new AbortController();
  const failed = expect(update(storage, "key", () => 1, { clock, signal: abort.signal })).rejects.toThrow("enough");
  for (let step = 0; step < 50 && clock.sleeping === 0; step++) await Promise.resolve();
  expect(clock.sleeping).toBe(1);
  abort.abort(new Error("enough"));
  await failed;
  expect(clock.sleeping).toBe(0);
});

test("a write whose outcome is unknown is never sent again", async () => {
  const storage = new MapStorage<number>();
  let puts = 0;
  storage.put = () => {
    puts++;
    return Promise.reject(new StorageError("conflict", "who knows", { outcome: "unknown" }));
  };
  await expect(update(storage, "key", () => 1)).rejects.toMatchObject({ outcome: "unknown" });
  expect(puts).toBe(1);
});

test("without conditions it is unsupported before any I/O", async () => {
  for (const conditions of [[], ["create"], ["replace"]] as const) {
    const storage = new MapStorage<number>({ capabilities: { conditions } });
    await expect(update(storage, "key", () => 1)).rejects.toMatchObject({ code: "unsupported" });
    expect(storage.calls).toEqual([]);
  }
  const undeletable = new MapStorage<number>({ capabilities: { conditions: ["create", "replace"] } });
  await undeletable.put("key", 1);
  await expect(update(undeletable, "key", () => removed)).rejects.toMatchObject({ code: "unsupported" });
});

test("a number of attempts that makes no sense is refused", async () => {
  for (const attempts of [0, 1.5, Number.NaN]) {
    await expect(update(new MapStorage<number>(), "key", () => 1, { attempts })).rejects.toMatchObject({ code: "invalid-option" });
  }
});

test("a storage that promises conditions and gives no etag is told so", async () => {
  const storage = new MapStorage<number>();
  storage.getEntry = (key) => Promise.resolve({ key, value: 1 });
  await expect(update(storage, "key", () => 2)).rejects.toMatchObject({ code: "internal" });
});
