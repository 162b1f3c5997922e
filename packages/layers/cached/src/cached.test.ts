import type { Storage } from "@stowage/core";
import { borrowed, findLayer, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { describe, expect, test } from "vitest";
import type { CachedOptions } from "./index.ts";
import { GatedStorage } from "./gated-storage.ts";
import { cached, CachedStorage } from "./index.ts";

interface SetUp<V> {
  readonly clock: VirtualClock;
  readonly below: GatedStorage<V>;
  readonly storage: Storage<V>;
  readonly cache: CachedStorage<V>;
}

function setUp<V = string>(options: CachedOptions<V> = {}): SetUp<V> {
  const clock = new VirtualClock();
  const below = new GatedStorage<V>(memoryStorage<V>({ values: "any", clock }), clock);
  const storage: Storage<V> = cached({ clock, ...options })<Storage<V>>(below);
  return { clock, below, storage, cache: findLayer(storage, CachedStorage) as CachedStorage<V> };
}

const down = (): StorageError => new StorageError("unavailable", "down");

test("a second read is answered without asking below", async () => {
  const { below, storage, cache } = setUp();
  await storage.put("key", "value");
  below.calls.length = 0;
  await cache.invalidate("key");
  expect([await storage.get("key"), await storage.get("key"), (await storage.getEntry("key"))?.value]).toEqual(["value", "value", "value"]);
  expect(below.calls).toEqual(["getEntry"]);
  expect(cache.stats()).toMatchObject({ hits: 2, misses: 1, loads: 1, entries: 1 });
  expect(cache.stats().hitRatio).toBeCloseTo(2 / 3);
});

test("what was put is there without a load, unless writes go around", async () => {
  const through = setUp();
  await through.storage.put("key", "value");
  expect(await through.storage.get("key")).toBe("value");
  expect(through.below.calls).toEqual(["put"]);
  const around = setUp({ write: "around" });
  await around.storage.put("key", "value");
  expect(await around.storage.get("key")).toBe("value");
  expect(around.below.calls).toEqual(["put", "getEntry"]);
});

test.each(["put", "delete", "batch", "clear", "invalidate"])(
  "a fill that is slow does not bring back what a %s made old",
  async (change) => {
    const { below, storage, cache } = setUp();
    await storage.put("key", "old");
    await cache.invalidate("key");
    const letGo = below.hold("getEntry");
    const slow = storage.get("key");
    if (change === "put") await storage.put("key", "new");
    if (change === "delete") await storage.delete("key");
    if (change === "batch") await storage.batch([{ type: "put", key: "key", value: "new" }]);
    if (change === "clear") await storage.clear({ prefix: "k" });
    if (change === "invalidate") await cache.invalidate({ prefix: "" });
    letGo();
    expect(await slow).toBe("old"); // it began before the change
    below.calls.length = 0;
    expect(await storage.get("key")).toBe({ put: "new", batch: "new", invalidate: "old" }[change]);
  },
);

test("a read that begins after a write was acknowledged does not join a load from before", async () => {
  const { below, storage, cache } = setUp();
  await storage.put("key", "old");
  await cache.invalidate("key");
  const letGo = below.hold("getEntry");
  const slow = storage.get("key");
  await storage.put("key", "new");
  await cache.invalidate("key");
  const fresh = storage.get("key");
  letGo();
  expect(await fresh).toBe("new");
  await slow;
});

test("a fill that runs while a write is under way is not kept", async () => {
  const { below, storage } = setUp();
  await storage.put("key", "old");
  const letGo = below.hold("put", "before effect");
  const put = storage.put("key", "new");
  expect(await storage.get("key")).toBe("old"); // not yet written
  letGo();
  await put;
  expect(await storage.get("key")).toBe("new");
});

test("two writes of a key at once leave it uncached, whichever came last below", async () => {
  const { below, storage, cache } = setUp();
  const first = below.hold("put");
  const second = below.hold("put");
  const puts = [storage.put("key", "one"), storage.put("key", "two")];
  second();
  first();
  await Promise.all(puts);
  expect(cache.stats().entries).toBe(0);
  expect(await storage.get("key")).toBe("two");
});

test.each(["before effect", "before answer"] as const)("a write that failed %s leaves the key uncached", async (where) => {
  const { below, storage, cache } = setUp();
  await storage.put("key", "old");
  const letGo = below.hold("put", where);
  const put = storage.put("key", "new").catch(() => "failed");
  if (where === "before effect") below.failure = down();
  letGo();
  await put;
  below.failure = undefined;
  if (where === "before effect") expect(cache.stats().entries).toBe(0);
  expect(await storage.get("key")).toBe(where === "before effect" ? "old" : "new");
});

test("a condition that does not hold makes the cache look again", async () => {
  const { storage, below } = setUp();
  await storage.put("key", "mine");
  await below.put("key", "theirs"); // another process
  await expect(storage.put("key", "new", { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed" });
  expect(await storage.get("key")).toBe("theirs");
});

test("1,000 concurrent misses are one load, which succeeds, fails or hangs for all", async () => {
  const { clock, below, storage, cache } = setUp({ loadTimeout: 1_000 });
  await below.put("key", "value");
  below.calls.length = 0;
  const found = await Promise.all(Array.from({ length: 1_000 }, () => storage.get("key")));
  expect(new Set(found)).toEqual(new Set(["value"]));
  expect(below.calls).toEqual(["getEntry"]);

  await cache.invalidate("key");
  below.calls.length = 0;
  below.failure = down();
  const failed = await Promise.allSettled(Array.from({ length: 1_000 }, () => storage.get("key")));
  expect(failed.every((result) => result.status === "rejected" && result.reason === below.failure)).toBe(true);
  expect(below.calls).toEqual(["getEntry"]);
  below.failure = undefined;
  expect(await storage.get("key")).toBe("value");

  await cache.invalidate("key");
  below.calls.length = 0;
  below.hold("getEntry");
  const hung = Promise.allSettled(Array.from({ length: 1_000 }, () => storage.get("key")));
  await clock.advance(1_100);
  expect((await hung).every((result) => result.status === "rejected" && StorageError.is(result.reason, "timeout"))).toBe(true);
  expect(below.calls).toEqual(["getEntry"]);
  expect(below.signals.at(-1)?.aborted).toBe(true);
  expect(await storage.get("key")).toBe("value");
});

test("a waiter who leaves takes nobody along; when the last has left the load is ended", async () => {
  const { below, storage } = setUp();
  await below.put("key", "value");
  const [first, second] = [new AbortController(), new AbortController()];
  const letGo = below.hold("getEntry");
  const gone = storage.get("key", { signal: first.signal }).catch((error: unknown) => error);
  const stays = storage.get("key", { signal: second.signal });
  const reason = new Error("enough");
  first.abort(reason);
  expect(await gone).toBe(reason);
  letGo();
  expect(await stays).toBe("value");

  const alone = setUp();
  alone.below.hold("getEntry");
  const controller = new AbortController();
  const left = alone.storage.get("key", { signal: controller.signal }).catch((error: unknown) => error);
  controller.abort(reason);
  expect(await left).toBe(reason);
  await alone.clock.advance(0);
  expect(alone.below.signals.at(-1)?.aborted).toBe(true);
});

test("getEntries asks once for what is missing, and each of its keys is one load for others too", async () => {
  const { below, storage } = setUp();
  for (const key of ["a", "b", "c", "d"]) await below.put(key, key);
  await storage.get("a");
  below.calls.length = 0;
  const letGo = below.hold("getEntries");
  const all = storage.getEntries(["a", "b", "c", "x", "b"]);
  const joined = storage.get("c");
  letGo();
  expect((await all).map((entry) => entry?.value)).toEqual(["a", "b", "c", undefined, "b"]);
  expect(await joined).toBe("c");
  expect(below.calls).toEqual(["getEntries"]);
});

test.each([0, 1_000])(
  "getEntries asks once also for what has become old, with staleWhileRevalidate of %i",
  async (staleWhileRevalidate) => {
    const { clock, below, storage } = setUp({ ttl: 1_000, staleWhileRevalidate });
    const keys = ["a", "b", "c"];
    for (const key of keys) await storage.put(key, "old");
    for (const key of keys) await below.put(key, "new");
    await clock.advance(1_000);
    below.calls.length = 0;
    const values = async (): Promise<unknown[]> => (await storage.getEntries(keys)).map((entry) => entry?.value);
    const [old, fresh] = [keys.map(() => "old"), keys.map(() => "new")];
    expect(await values()).toEqual(staleWhileRevalidate === 0 ? fresh : old);
    await clock.advance(0);
    expect(await values()).toEqual(fresh);
    expect(below.calls).toEqual(["getEntries"]);
  },
);

test("getEntries asks once also for what is being written, and nobody joins that", async () => {
  const { below, storage, cache } = setUp();
  await below.put("a", "old");
  const letGo = below.hold("clear", "before effect");
  const clear = storage.clear();
  below.calls.length = 0;
  expect((await storage.getEntries(["a", "b", "a"])).map((entry) => entry?.value)).toEqual(["old", undefined, "old"]);
  const answer = below.hold("getEntries");
  const early = storage.getEntries(["a", "b"]);
  letGo();
  await clear;
  expect(await storage.get("a")).toBeUndefined(); // and not what the call above may find
  answer();
  await early;
  expect(below.calls).toEqual(["getEntries", "getEntries", "getEntry"]);
  expect(cache.stats().entries).toBe(0);
});

test("warm loads what is not there yet", async () => {
  const { below, storage, cache } = setUp();
  for (const key of ["a", "b", "c"]) await below.put(key, key);
  await cache.warm(["a", "b", "c", "gone"]);
  below.calls.length = 0;
  expect([await storage.get("a"), await storage.get("b"), await storage.get("c")]).toEqual(["a", "b", "c"]);
  expect(below.calls).toEqual([]);
});

test("warm asks for a thousand keys at a time", async () => {
  const { below, cache } = setUp();
  await cache.warm(Array.from({ length: 2_500 }, (_, index) => `key${index}`));
  expect(below.calls).toEqual(["getEntries", "getEntries", "getEntries"]);
});

test("an entry is served for its ttl, and never past its own expiry", async () => {
  const { clock, below, storage } = setUp({ ttl: 1_000 });
  await storage.put("long", "value");
  await storage.put("short", "value", { ttl: 500 });
  below.calls.length = 0;
  await clock.advance(499);
  expect(await storage.get("short")).toBe("value");
  await clock.advance(1);
  expect(await storage.get("short")).toBeUndefined();
  expect(await storage.get("long")).toBe("value");
  expect(below.calls).toEqual(["getEntry"]);
  await clock.advance(500);
  await storage.get("long");
  expect(below.calls).toEqual(["getEntry", "getEntry"]);
});

test("invalidate forgets a key, or all under a prefix, and nothing else", async () => {
  const { storage, cache, below } = setUp();
  for (const key of ["a/1", "a/2", "b/1", "b/2"]) await storage.put(key, key);
  await cache.invalidate({ prefix: "a/" });
  await cache.invalidate("b/1");
  expect(cache.stats().entries).toBe(1);
  below.calls.length = 0;
  await storage.get("b/2");
  expect(below.calls).toEqual([]);
  await cache.invalidate({ prefix: "" });
  expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
});

test.each([undefined, null, {}, { prefix: 1 }, 5])("invalidate of %j rejects and forgets nothing", async (target) => {
  const { storage, cache } = setUp();
  await storage.put("key", "value");
  await expect(cache.invalidate(target as never)).rejects.toMatchObject({ code: "invalid-option" });
  expect(cache.stats().entries).toBe(1);
});

test("a clear of what is no prefix rejects and does not throw, and leaves nothing pending", async () => {
  const { storage, cache } = setUp();
  await storage.put("key", "value");
  await expect(storage.clear({ prefix: Symbol("none") as never })).rejects.toBeInstanceOf(Error);
  expect(cache.stats().pendingWrites).toBe(0);
});

test("writes that are under way are counted", async () => {
  const { below, storage, cache } = setUp();
  const [put, clear] = [below.hold("put"), below.hold("clear")];
  const writes = [storage.put("key", "value"), storage.clear(), storage.put("other", "value")];
  await writes[2];
  expect(cache.stats().pendingWrites).toBe(2);
  put();
  clear();
  await Promise.all(writes);
  expect(cache.stats().pendingWrites).toBe(0);
});

test("a write whose outcome is unknown may still happen, so that its key is not cached for loadTimeout", async () => {
  const { clock, below, storage, cache } = setUp({ loadTimeout: 1_000 });
  await storage.put("key", "old");
  below.failure = new StorageError("timeout", "lost", { outcome: "unknown" });
  await expect(storage.put("key", "new")).rejects.toBe(below.failure);
  below.failure = undefined;
  expect(await storage.get("key")).toBe("old");
  await storage.put("key", "newer");
  expect(cache.stats().entries).toBe(0);
  await clock.advance(999);
  await below.put("key", "new"); // there it is
  expect(await storage.get("key")).toBe("new");
  expect(cache.stats().entries).toBe(0);
  await clock.advance(1);
  await storage.get("key");
  expect(cache.stats().entries).toBe(1);

  below.failure = new StorageError("timeout", "lost", { outcome: "unknown" });
  await expect(storage.clear()).rejects.toBe(below.failure);
  below.failure = undefined;
  expect([await storage.get("key"), cache.stats().entries]).toEqual(["new", 0]);
  await clock.advance(1_000);
  expect([await storage.get("key"), cache.stats().entries]).toEqual(["new", 1]);
});

test("who joins a load gets nothing that had expired before", async () => {
  const { clock, below, storage } = setUp();
  await below.put("key", "value", { ttl: 1_000 });
  const letGo = below.hold("getEntry");
  const early = storage.get("key");
  await clock.advance(1_000);
  const late = storage.get("key");
  letGo();
  expect([await early, await late]).toEqual(["value", undefined]);
});

test("staleWhileRevalidate serves the old value at once and loads the new one behind", async () => {
  const { clock, below, storage, cache } = setUp({ ttl: 1_000, staleWhileRevalidate: 1_000 });
  await storage.put("key", "old");
  await below.put("key", "new");
  await clock.advance(1_500);
  expect(await storage.get("key")).toBe("old");
  await clock.advance(0);
  expect(await storage.get("key")).toBe("new");
  expect(cache.stats().staleServed).toBe(1);
  below.failure = down();
  await clock.advance(1_500);
  expect(await storage.get("key")).toBe("new"); // the failure behind hurts nobody
  await clock.advance(600);
  await expect(storage.get("key")).rejects.toBe(below.failure);
});

test("staleIfError serves the old value for a passing failure, within the grace, until a delete ends it", async () => {
  const { clock, below, storage } = setUp({ ttl: 1_000, staleIfError: 10_000 });
  await storage.put("key", "old");
  await clock.advance(2_000);
  below.failure = down();
  expect(await storage.get("key")).toBe("old");
  below.failure = new StorageError("denied", "no");
  await expect(storage.get("key")).rejects.toBe(below.failure);
  below.failure = undefined;
  await storage.delete("key");
  below.failure = down();
  await expect(storage.get("key")).rejects.toBe(below.failure);

  below.failure = undefined;
  await storage.put("key", "new");
  await clock.advance(11_000);
  below.failure = down();
  await expect(storage.get("key")).rejects.toBe(below.failure);
});

test("what was invalidated is not served in the grace of staleIfError", async () => {
  const { clock, below, storage, cache } = setUp({ ttl: 1_000, staleIfError: 10_000 });
  await storage.put("key", "old");
  await clock.advance(2_000);
  await cache.invalidate("key");
  below.failure = down();
  await expect(storage.get("key")).rejects.toBe(below.failure);
});

test("of 1,000 who wait for a load, those who leave get their own reasons, and the others the value", async () => {
  const { below, storage } = setUp();
  await below.put("key", "value");
  below.calls.length = 0;
  const letGo = below.hold("getEntry");
  const controllers = Array.from({ length: 1_000 }, () => new AbortController());
  const waiting = Promise.allSettled(controllers.map(({ signal }) => storage.get("key", { signal })));
  const leaves = (index: number): boolean => index % 3 === 0;
  for (const [index, controller] of controllers.entries()) if (leaves(index)) controller.abort(index);
  letGo();
  for (const [index, result] of (await waiting).entries()) {
    expect(result).toEqual(leaves(index) ? { status: "rejected", reason: index } : { status: "fulfilled", value: "value" });
  }
  expect(below.calls).toEqual(["getEntry"]);
});

test("nothing that has expired is served stale", async () => {
  const { clock, below, storage } = setUp({ ttl: 1_000, staleIfError: 10_000, staleWhileRevalidate: 10_000 });
  await storage.put("key", "value", { ttl: 2_000 });
  await clock.advance(1_500);
  expect(await storage.get("key")).toBe("value");
  await clock.advance(500);
  below.failure = down();
  await expect(storage.get("key")).rejects.toBe(below.failure);
});

test("a missing entry is remembered for missingTtl, a failure never is, and a put ends it", async () => {
  const { clock, below, storage } = setUp({ missingTtl: 1_000 });
  below.failure = down();
  await expect(storage.get("key")).rejects.toBe(below.failure);
  below.failure = undefined;
  below.calls.length = 0;
  expect([await storage.get("key"), await storage.get("key"), await storage.has("key")]).toEqual([undefined, undefined, false]);
  expect(below.calls).toEqual(["getEntry"]);
  await storage.put("key", "value");
  expect(await storage.get("key")).toBe("value");
  await storage.delete("key");
  await storage.get("key");
  await below.put("key", "theirs");
  await clock.advance(1_000);
  expect(await storage.get("key")).toBe("theirs");
});

test("cloned: what a caller does to a value it put or got changes nothing cached", async () => {
  const { storage } = setUp<{ tags: string[] }>();
  const value = { tags: ["a"] };
  await storage.put("key", value);
  value.tags.push("b");
  (await storage.get("key"))?.tags.push("c");
  (await storage.getEntry("key"))?.value.tags.push("d");
  expect(await storage.get("key")).toEqual({ tags: ["a"] });
});

test("frozen: everybody gets the same value, and changing it throws", async () => {
  const { storage, cache } = setUp<{ tags: string[] }>({ values: "frozen" });
  const value = { tags: ["a"] };
  await storage.put("key", value);
  value.tags.push("b"); // the caller's own is not frozen
  const [one, two] = [await storage.get("key"), await storage.get("key")];
  expect(one).toBe(two);
  expect(() => one?.tags.push("c")).toThrow(TypeError);
  await cache.invalidate("key");
  expect(() => (storage.get("key") as unknown as { tags: string[] }).tags.push("c")).toThrow(TypeError);
});

test("shared: everybody gets the very value", async () => {
  const { storage } = setUp<{ tags: string[] }>({ values: "shared" });
  const value = { tags: ["a"] };
  await storage.put("key", value);
  expect(await storage.get("key")).toBe(value);
});

test("frozen: what is inside a frozen object is frozen too, however deep", async () => {
  const below = memoryStorage<object>({ values: "any", share: true });
  let deep: object = { last: {} };
  for (let depth = 0; depth < 20_000; depth++) deep = Object.freeze({ deep });
  await below.put("key", deep);
  let got = (await stack(below, cached({ values: "frozen" })).get("key")) as { deep?: object; last?: object };
  while (got.deep !== undefined) got = got.deep;
  expect(got.last).toBeDefined();
  expect([Object.isFrozen(got), Object.isFrozen(got.last)]).toEqual([true, true]);
});

/** How two callers get one value of a load that is not kept, because something was written meanwhile. */
const loadsOfTwo: Readonly<Record<string, (storage: Storage<Tagged>) => Promise<(Tagged | undefined)[]>>> = {
  get: (storage) => Promise.all([storage.get("key"), storage.get("key")]),
  getEntry: async (storage) => (await Promise.all([storage.getEntry("key"), storage.getEntry("key")])).map((entry) => entry?.value),
  getEntries: async (storage) => (await storage.getEntries(["key", "other", "key"])).flatMap((entry) => entry?.value ?? []),
};

interface Tagged {
  readonly tags: string[];
}

describe.each(Object.keys(loadsOfTwo))("of two who wait for a %s that is not kept", (operation) => {
  async function unkept(options: CachedOptions<Tagged>): Promise<(Tagged | undefined)[]> {
    const { below, storage, cache } = setUp<Tagged>(options);
    await below.put("key", { tags: ["old"] });
    const letGo = below.hold(operation === "getEntries" ? "getEntries" : "getEntry");
    const got = loadsOfTwo[operation]!(storage);
    await storage.put("key", { tags: ["new"] });
    await cache.invalidate("key");
    letGo();
    const both = await got;
    expect(both).toEqual([{ tags: ["old"] }, { tags: ["old"] }]);
    expect(cache.stats().entries).toBe(0);
    return both;
  }

  test("frozen: nobody can change what the other one sees", async () => {
    const [one, two] = await unkept({ values: "frozen" });
    expect(one).toBe(two);
    expect(() => one?.tags.push("mine")).toThrow(TypeError);
  });

  test("cloned: each has a copy of its own", async () => {
    const [one, two] = await unkept({ values: "cloned" });
    one?.tags.push("mine");
    expect(two).toEqual({ tags: ["old"] });
  });
});

test("frozen: what is served stale, or comes from the store, is frozen too", async () => {
  const clock = new VirtualClock();
  const store = memoryStorage<Tagged>({ values: "any", clock });
  const made = setUp<Tagged>({ clock, values: "frozen", ttl: 1_000, staleIfError: 1_000, store: stack(store, borrowed()) });
  const isFrozen = async (storage: Storage<Tagged>): Promise<boolean> => Object.isFrozen((await storage.get("key"))?.tags);
  await made.below.put("key", { tags: [] });
  expect(await isFrozen(made.storage)).toBe(true);
  await clock.advance(0);
  const next = setUp<Tagged>({ clock, values: "frozen", store: stack(store, borrowed()) });
  expect([await isFrozen(next.storage), next.cache.stats().storeHits]).toEqual([true, 1]);
  await clock.advance(1_500);
  made.below.failure = down();
  expect([await isFrozen(made.storage), made.cache.stats().staleServed]).toEqual([true, 1]);
});

test("bytes cannot be frozen, and that is said when the layer is made", () => {
  expect(() => stack(memoryStorage(), cached({ values: "frozen" }))).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test("a value that a codec may give back otherwise is not cached as it was put", async () => {
  const { below, storage } = setUp<unknown>();
  await storage.put("date", { at: new Date(0) });
  await storage.put("plain", { at: "1970" });
  below.calls.length = 0;
  await storage.get("plain");
  expect(below.calls).toEqual([]);
  await storage.get("date");
  expect(below.calls).toEqual(["getEntry"]);
});

test("a cache holds no more than maxEntries, and no more than maxSize", async () => {
  const few = setUp({ maxEntries: 10 });
  for (let index = 0; index < 100; index++) await few.storage.put(`key${index}`, "value");
  expect(few.cache.stats()).toMatchObject({ entries: 10, evictions: 90 });
  const small = setUp({ maxSize: 1_000, sizeOf: (value: string) => value.length });
  for (let index = 0; index < 100; index++) await small.storage.put(`key${index}`, "x".repeat(index));
  expect(small.cache.stats().bytes).toBeLessThanOrEqual(1_000);
  await small.storage.put("large", "x".repeat(1_001));
  expect(await small.storage.get("large")).toHaveLength(1_001);
  expect(small.cache.stats().bytes).toBeLessThanOrEqual(1_000);
});

test("after close nothing is served any more", async () => {
  const { storage, cache } = setUp();
  await storage.put("key", "value");
  await storage.close();
  await expect(storage.get("key")).rejects.toMatchObject({ code: "closed" });
  await expect(cache.invalidate("key")).rejects.toMatchObject({ code: "closed" });
  await expect(cache.warm(["key"])).rejects.toMatchObject({ code: "closed" });
});

test("what a read of the cache streams can be cut like any other", async () => {
  const storage = stack(memoryStorage(), cached());
  await storage.put("key", new TextEncoder().encode("0123456789"));
  const part = await storage.read("key", { start: -4, end: -1 });
  expect(part?.size).toBe(10);
  expect(await new Response(part?.value).text()).toBe("678");
});

test.each([
  [{ eviction: "fifo" as never }],
  [{ maxEntries: 0 }],
  [{ maxEntries: Number.POSITIVE_INFINITY }],
  [{ ttl: -1 }],
  [{ values: "copied" as never }],
  [{ loadTimeout: Number.NaN }],
  [{ loadTimeout: Number.POSITIVE_INFINITY }],
  [{ staleIfError: Number.POSITIVE_INFINITY }],
  [{ maxSize: 0 }],
  [{ sizeOf: 1 as never }],
  [null as never],
  [5 as never],
  [{ maxentries: 1 } as never],
])("the options %j are refused when the layer is made", (options: CachedOptions) => {
  expect(() => cached(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test.each(["s3-fifo", "w-tinylfu", "lru"] as const)(
  "with maxSize there may be as many entries as there are numbers: %s",
  async (eviction) => {
    const { storage, cache } = setUp({ maxEntries: Number.MAX_SAFE_INTEGER, maxSize: 1_000, sizeOf: () => 100, eviction });
    for (let index = 0; index < 20; index++) await storage.put(`key${index}`, "value");
    expect(cache.stats()).toMatchObject({ entries: 10, bytes: 1_000 });
  },
);

test("a value that contains itself is stored, cached and given back", async () => {
  const { storage, cache } = setUp<object>();
  const value: { name: string; self?: object; list?: object[] } = { name: "circle" };
  value.self = value;
  value.list = [value, value];
  await storage.put("key", value);
  for (const got of [await storage.get("key"), await storage.get("key")]) {
    expect(got).toMatchObject({ name: "circle" });
    expect((got as typeof value).self).toBe(got);
  }
  expect(cache.stats()).toMatchObject({ loads: 1, hits: 1, entries: 1 });
});

test("a sizeOf that throws fails the read that would cache, and no put", async () => {
  const failure = new Error("not to be counted");
  const { below, storage } = setUp({
    sizeOf: () => {
      throw failure;
    },
  });
  await storage.put("key", "value");
  expect(await below.get("key")).toBe("value");
  await expect(storage.get("key")).rejects.toBe(failure);
});

test.each(["s3-fifo", "w-tinylfu", "lru"] as const)("a sizeOf that gives no size does not end the bound of %s", async (eviction) => {
  for (const wrong of [Number.NaN, -5, "12", undefined]) {
    const sizeOf = (value: string): number => (value === "odd" ? (wrong as number) : value.length);
    const { storage, cache } = setUp({ eviction, maxSize: 1_000, sizeOf });
    await storage.put("odd", "odd"); // is stored, and not cached
    await expect(storage.get("odd")).rejects.toMatchObject({ code: "invalid-option" });
    for (let index = 0; index < 20; index++) await storage.put(`key${index}`, "x".repeat(100));
    expect(cache.stats()).toMatchObject({ entries: 10, bytes: 1_000 });
  }
});

test("a cached value that cannot be copied rejects, each time", async () => {
  const storage: Storage<unknown> = cached()<Storage<unknown>>(memoryStorage<unknown>({ values: "any", share: true }));
  await storage.put("key", { run: () => 1 });
  for (let time = 0; time < 2; time++) {
    await expect(storage.get("key")).rejects.toMatchObject({ code: "invalid-value" });
    await expect(storage.getEntry("key")).rejects.toMatchObject({ code: "invalid-value" });
  }
});

test("a batch that is none rejects and does not throw", async () => {
  const { storage } = setUp();
  await expect(storage.batch(undefined as never)).rejects.toMatchObject({ code: "invalid-option" });
});

test("nothing expires by another clock than that of the storage below, unless the cache was given one", async () => {
  const clock = new VirtualClock();
  const storage = stack(memoryStorage<string>({ values: "any", clock }), cached({ ttl: 500 }));
  await storage.put("key", "value", { ttl: 1_000 });
  expect((await storage.head("key"))?.expiresAt).toBe(clock.now() + 1_000);
  await clock.advance(600);
  expect(await storage.get("key")).toBe("value");
  expect(findLayer(storage, CachedStorage)?.stats()).toMatchObject({ hits: 0, misses: 1 });
  await clock.advance(400);
  expect(await storage.get("key")).toBeUndefined();
});
