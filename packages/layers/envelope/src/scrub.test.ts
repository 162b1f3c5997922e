import type { AnyStorage, Bytes } from "@stowage/core";
import { json, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage } from "@stowage/testing";
import { expect, test } from "vitest";
import { envelope } from "./envelope.ts";
import { scrub } from "./scrub.ts";
import type { ScrubFailure, ScrubProgress } from "./scrub.ts";
import { Below, bytesOf, codeOf, text } from "./testing/samples.ts";

const setUp = async (count = 20) => {
  const below = new Below(memoryStorage(), { streams: "native" });
  const storage = envelope()(below);
  for (let index = 0; index < count; index++) await storage.put(`key-${String(index).padStart(3, "0")}`, bytesOf(100, index));
  const damage = async (key: string, at = 50): Promise<void> => {
    const stored = (await below.get(key))!;
    stored[at] = stored[at]! ^ 8;
    await below.put(key, stored);
  };
  return { below, storage, damage };
};

test("a scrub of what is whole finds nothing, and counts what it read", async () => {
  const { storage } = await setUp();
  await storage.put("large", bytesOf(300_000));
  await storage.put("empty", new Uint8Array(0));
  expect(await scrub(storage)).toEqual({ entries: 22, bytes: 302_000, gone: 0, damaged: 0, unread: 0, failures: [] });
});

test("a scrub finds every damaged entry, names it, and reads on", async () => {
  const { below, storage, damage } = await setUp();
  await storage.put("large", bytesOf(300_000));
  await damage("key-003");
  await damage("key-010", 3);
  await damage("key-019", 13);
  await damage("large", 250_000);
  await below.put("raw", text("?"));
  const told: ScrubFailure[] = [];
  const report = await scrub(storage, { onFailure: (failure) => told.push(failure), concurrency: 1 });
  expect(report).toMatchObject({ entries: 17, damaged: 5, unread: 0 });
  expect(report.failures.map(({ key, code }) => [key, code])).toEqual([
    ["key-003", "corrupt"],
    ["key-010", "corrupt"],
    ["key-019", "unsupported"],
    ["large", "corrupt"],
    ["raw", "corrupt"],
  ]);
  expect(report.failures[3]?.message).toContain("its bytes 196608 to 262144");
  expect(told).toEqual(report.failures);
});

test("what could not be read for another reason is told apart from damage", async () => {
  const mock = mockStorage();
  for (const key of ["a", "b", "c"]) await mock.put(key, text(key));
  mock.on("read", "a").fails("unavailable");
  mock.on("read", "b").fails(new TypeError("not ours"));
  mock.on("read", "c").fails("tampered");
  const report = await scrub(mock);
  expect(report).toMatchObject({ entries: 0, damaged: 1, unread: 2 });
  expect(report.failures.map(({ key, code }) => `${key} ${code}`).toSorted()).toEqual(["a unavailable", "b internal", "c tampered"]);
});

test("a stream that breaks in the middle is a failure of that entry", async () => {
  const mock = mockStorage();
  await mock.put("a", bytesOf(200_000));
  await mock.put("b", bytesOf(10));
  mock.on("read", "a").breaks("corrupt", { bytes: 100_000 });
  expect(await scrub(mock)).toMatchObject({ entries: 1, bytes: 10, damaged: 1 });
});

test("any stack can be scrubbed: of values, and of bytes without streams", async () => {
  const memory = memoryStorage();
  const values = stack(memory, json<unknown>());
  await values.put("a", { name: "Ada" });
  await memory.put("b", text("{"));
  expect(await scrub(values)).toMatchObject({ entries: 1, bytes: 0, damaged: 1, failures: [{ key: "b", code: "corrupt" }] });
  expect(await scrub(new Below(memory, { streams: "none" }))).toMatchObject({ entries: 2, bytes: 15 });
});

test("an entry that goes away after it was listed is gone, and no failure", async () => {
  const { below, storage } = await setUp(3);
  below.before.set("read", () => below.inner[0]!.clear());
  expect(await scrub(storage, { concurrency: 1 })).toEqual({ entries: 0, bytes: 0, gone: 3, damaged: 0, unread: 0, failures: [] });
});

test("a scrub tells how far it is, and goes on from a cursor or after a key", async () => {
  const { storage, damage } = await setUp();
  await damage("key-004");
  await damage("key-015");
  const told: ScrubProgress[] = [];
  const reason = new Error("enough");
  const stopped = scrub(storage, {
    batchSize: 5,
    concurrency: 1,
    onProgress: (progress) => {
      told.push(progress);
      if (told.length === 12) throw reason;
    },
  });
  await expect(stopped).rejects.toBe(reason);
  expect(told.map(({ entries, damaged }) => entries + damaged)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  expect(told[4]).not.toHaveProperty("cursor");
  const rest = await scrub(storage, { cursor: told.at(-1)?.cursor });
  expect(rest).toMatchObject({ entries: 9, damaged: 1, failures: [{ key: "key-015" }] });
  expect(rest).not.toHaveProperty("cursor");
  expect(await scrub(storage, { startAfter: "key-017" })).toMatchObject({ entries: 2, damaged: 0 });
  expect(await scrub(storage, { prefix: "key-00" })).toMatchObject({ entries: 9, damaged: 1 });
});

test("a scrub keeps to its limits: entries at once, keys in memory, failures that it names", async () => {
  const { below, storage, damage } = await setUp(40);
  let running = 0;
  let most = 0;
  const read = below.read.bind(below);
  below.read = async (key, options) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    return await read(key, options).finally(() => running--);
  };
  await scrub(storage, { concurrency: 3 });
  expect(most).toBe(3);
  for (let index = 0; index < 10; index++) await damage(`key-00${index}`);
  const told: Bytes[] = [];
  const report = await scrub(storage, { maxFailures: 4, onFailure: () => told.push(text("x")) });
  expect([report.damaged, report.failures.length, told.length]).toEqual([10, 4, 10]);
});

test("an abort ends a scrub with its reason, and so does what onFailure throws", async () => {
  const { storage, damage } = await setUp();
  const control = new AbortController();
  const reason = { because: "enough" };
  await expect(scrub(storage, { signal: control.signal, onProgress: () => control.abort(reason) })).rejects.toBe(reason);
  await expect(scrub(storage, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await damage("key-000");
  const error = new Error("not like that");
  const refuse = (): never => {
    throw error;
  };
  await expect(scrub(storage, { onFailure: refuse })).rejects.toBe(error);
});

test("what cannot be scrubbed is refused, and what is closed or cannot be listed ends it", async () => {
  expect(await codeOf(scrub(new Below(memoryStorage(), { list: "none" })))).toBe("unsupported");
  const { storage } = await setUp();
  for (const wrong of [{ concurrency: 0 }, { batchSize: 1.5 }, { maxFailures: 0 }])
    expect(await codeOf(scrub(storage, wrong))).toBe("invalid-option");
  const mock = mockStorage();
  await mock.put("a", text("a"));
  mock.on("read").fails("closed");
  expect(await codeOf(scrub(mock))).toBe("closed");
  const error = new StorageError("denied", "No.");
  const closed: AnyStorage = mockStorage();
  (closed as ReturnType<typeof mockStorage>).on("list").fails(error);
  await expect(scrub(closed)).rejects.toBe(error);
});
