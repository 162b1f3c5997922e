import type { ByteStorage } from "@stowage/core";
import { findLayer, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { envelope, EnvelopeStorage } from "./envelope.ts";
import type { SweepOptions, SweepProgress } from "./sweep.ts";
import { Below, codeOf, text } from "./testing/samples.ts";

const setUp = () => {
  const clock = new VirtualClock();
  const below = new Below(memoryStorage({ clock }), { streams: "native" });
  const storage: ByteStorage = envelope({ clock })(below);
  const sweep = (options?: SweepOptions): Promise<SweepProgress> => findLayer(storage, EnvelopeStorage)!.sweep(options);
  return { clock, below, storage, sweep };
};

const keysOf = async (storage: ByteStorage): Promise<string[]> => (await storage.list()).entries.map(({ key }) => key);

test("a sweep removes what has expired and nothing else", async () => {
  const { clock, below, storage, sweep } = setUp();
  await storage.put("always", text("x"));
  await storage.put("long", text("x"), { ttl: 1_000 });
  await storage.put("short", text("x"), { ttl: 10 });
  await storage.put("other/short", text("x"), { ttl: 10, metadata: { name: "x".repeat(10_000) } });
  await below.put("raw", text("not in an envelope"));
  await clock.advance(10);
  expect(await sweep({ prefix: "other/" })).toEqual({ looked: 1, removed: 1, changed: 0, unreadable: 0 });
  expect(await sweep()).toEqual({ looked: 4, removed: 1, changed: 0, unreadable: 1 });
  expect(await keysOf(below)).toEqual(["always", "long", "raw"]);
  expect(below.log.filter((line) => line.startsWith("delete"))).toEqual(["delete other/short if match", "delete short if match"]);
  expect(await sweep()).toMatchObject({ removed: 0 });
});

/** B23: what comes between the look at an expired entry and its removal stays. */
for (const [name, meanwhile] of Object.entries({
  "is put anew": (storage: ByteStorage) => storage.put("a", text("fresh")),
  "is put anew with the same bytes": (storage: ByteStorage) => storage.put("a", text("old"), { ttl: 1_000 }),
  "is created anew": (storage: ByteStorage) => storage.put("a", text("fresh"), { ifNoneMatch: "*" }),
  "is written anew": (storage: ByteStorage) => storage.write("a", new Blob(["fresh"])),
  "is deleted and put anew": (storage: ByteStorage) => storage.delete("a").then(() => storage.put("a", text("fresh"))),
})) {
  for (const moment of ["delete", "read"]) {
    test(`an entry that ${name} just before the ${moment} of a sweep stays`, async () => {
      const { clock, below, storage, sweep } = setUp();
      await storage.put("a", text("old"), { ttl: 10 });
      await clock.advance(10);
      below.before.set(moment, () => meanwhile(storage));
      const progress = await sweep();
      expect(progress.removed).toBe(0);
      expect(progress.changed).toBe(moment === "delete" ? 1 : 0);
      expect(await storage.has("a")).toBe(true);
    });
  }
}

test("an entry that somebody else removes meanwhile is no failure", async () => {
  const { clock, below, storage, sweep } = setUp();
  await storage.put("a", text("old"), { ttl: 10 });
  await clock.advance(10);
  below.before.set("delete", () => below.inner[0]!.delete("a"));
  expect(await sweep()).toEqual({ looked: 1, removed: 0, changed: 1, unreadable: 0 });
});

test("a sweep leaves and counts what cannot be read, whatever below says is wrong with it, and goes on", async () => {
  const clock = new VirtualClock();
  const mock = mockStorage({ clock });
  const storage = envelope({ clock })(mock);
  const codes = ["corrupt", "tampered", "wrong-key", "unknown-key", "unsupported", "invalid-value"] as const;
  for (const key of ["a", ...codes, "z"]) await storage.put(key, text("x"), { ttl: 10 });
  await clock.advance(10);
  for (const code of codes) mock.on("read", code).fails(code);
  const sweep = () => findLayer(storage, EnvelopeStorage)!.sweep({ concurrency: 1, batchSize: 1 });
  expect(await sweep()).toEqual({ looked: 8, removed: 2, changed: 0, unreadable: 6 });
  expect((await keysOf(mock)).toSorted()).toEqual(codes.toSorted());
  await storage.put("b", text("x"), { ttl: 10 });
  mock.on("read", "b").fails("denied");
  expect(await codeOf(sweep())).toBe("denied");
});

test("two sweeps at once remove each entry once", async () => {
  const { clock, storage, sweep } = setUp();
  for (let index = 0; index < 50; index++) await storage.put(`key-${index}`, text("x"), { ttl: 10 });
  await clock.advance(10);
  const [one, other] = await Promise.all([sweep(), sweep()]);
  expect(one.removed + other.removed).toBe(50);
});

test("a sweep goes in batches, tells of each, stops at its limit, and goes on from there", async () => {
  const { clock, storage, sweep } = setUp();
  for (let index = 0; index < 100; index++)
    await storage.put(`key-${String(index).padStart(2, "0")}`, text("x"), index % 2 === 0 ? { ttl: 10 } : {});
  await clock.advance(10);
  const told: SweepProgress[] = [];
  const first = await sweep({ batchSize: 10, limit: 25, onProgress: (progress) => told.push(progress) });
  expect(told.map(({ looked }) => looked)).toEqual([10, 20, 25]);
  expect(first).toMatchObject({ looked: 25, removed: 13 });
  expect(first.cursor).toBeDefined();
  const rest = await sweep({ cursor: first.cursor, batchSize: 10 });
  expect(rest).toEqual({ looked: 75, removed: 37, changed: 0, unreadable: 0 });
  expect(await keysOf(storage)).toHaveLength(50);
  expect(await sweep({ startAfter: "key-90" })).toMatchObject({ looked: 5 });
});

test("an abort ends a sweep with its reason, and what it told is where to go on", async () => {
  const { clock, storage, sweep } = setUp();
  for (let index = 0; index < 30; index++) await storage.put(`key-${index}`, text("x"), { ttl: 10 });
  await clock.advance(10);
  const control = new AbortController();
  let cursor: string | undefined;
  const reason = new Error("enough");
  const swept = sweep({
    batchSize: 10,
    signal: control.signal,
    onProgress: (progress) => {
      ({ cursor } = progress);
      if (progress.looked === 20) control.abort(reason);
    },
  });
  await expect(swept).rejects.toBe(reason);
  expect(await sweep({ cursor })).toMatchObject({ looked: 10, removed: 10 });
});

test("an error below ends a sweep as it is", async () => {
  const { clock, below, storage, sweep } = setUp();
  await storage.put("a", text("x"), { ttl: 10 });
  await clock.advance(10);
  const error = new StorageError("denied", "No.");
  below.before.set("delete", () => Promise.reject(error));
  await expect(sweep()).rejects.toBe(error);
});

test("a sweep is refused where it cannot be sure, and with options that make no sense", async () => {
  const clock = new VirtualClock();
  for (const lacks of [{ conditions: ["create", "replace"] }, { list: "none" }] as const) {
    const storage = envelope({ clock })(new Below(memoryStorage({ clock }), lacks));
    await storage.put("a", text("x"), { ttl: 10 });
    expect(await codeOf(findLayer(storage, EnvelopeStorage)!.sweep())).toBe("unsupported");
  }
  const { sweep } = setUp();
  for (const wrong of [{ limit: 0 }, { batchSize: 0.5 }, { batchSize: Infinity }, { concurrency: Number.NaN }]) {
    expect(await codeOf(sweep(wrong))).toBe("invalid-option");
  }
});
