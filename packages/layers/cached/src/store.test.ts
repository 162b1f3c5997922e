import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStorage, Storage } from "@stowage/core";
import { borrowed, explain, findLayer, json, limited, prefixed, stack, StorageError, update } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { describe, expect, test } from "vitest";
import { GatedStorage } from "./gated-storage.ts";
import type { CachedOptions } from "./index.ts";
import { cached, CachedStorage, localBus } from "./index.ts";

interface SetUp {
  readonly clock: VirtualClock;
  readonly below: GatedStorage<string>;
  readonly store: GatedStorage<string>;
  readonly storage: Storage<string>;
  readonly cache: CachedStorage<string>;
  /** The calls of both, in their order. */
  readonly log: string[];
  /** The cache forgets what it has in memory, as another process would not have it. */
  readonly evict: () => Promise<void>;
}

const values = "any";

/** A cache with room for one entry in memory, and with a store. */
function setUp(options: CachedOptions<string> = {}): SetUp {
  const clock = new VirtualClock();
  const log: string[] = [];
  const below = new GatedStorage(memoryStorage<string>({ values, clock }), clock, "below", log);
  const store = new GatedStorage(memoryStorage<string>({ values, clock }), clock, "store", log);
  const storage = stack(below, cached({ clock, maxEntries: 1, ...options, store }));
  const cache = findLayer(storage, CachedStorage) as CachedStorage<string>;
  const evict = async (): Promise<void> => {
    await storage.put("another key", "takes the room");
    log.length = 0;
  };
  return { clock, below, store, storage, cache, log, evict };
}

/** Has a value in the store, and nothing in memory. */
async function filled(options?: CachedOptions<string>): Promise<SetUp> {
  const made = setUp(options);
  await made.below.put("key", "value");
  await made.storage.get("key");
  await made.clock.advance(0);
  await made.evict();
  return made;
}

const down = (): StorageError => new StorageError("unavailable", "down");

test("what memory has no room for comes from the store, and only what that has not from below", async () => {
  const { storage, cache, log, evict } = await filled();
  expect(await storage.get("key")).toBe("value");
  expect(log).toEqual(["store getEntry"]);
  await evict();
  expect(await storage.get("gone")).toBeUndefined();
  expect(log).toEqual(["store getEntry", "below getEntry"]);
  expect(cache.stats()).toMatchObject({ storeHits: 1, storeFailures: 0, loads: 3 });
});

test("an entry from the store is told as below: its etag, times, metadata and expiry", async () => {
  const { clock, storage, below, evict } = setUp();
  await below.put("key", "value", { ttl: 5_000, metadata: { "content-type": "text/plain" } });
  await clock.advance(10);
  const first = await storage.getEntry("key");
  await clock.advance(10);
  await evict();
  expect(await storage.getEntry("key")).toEqual(first);
  expect(first).toEqual(await below.getEntry("key"));
  await evict();
  expect(await update(storage, "key", (value) => `${value}, updated`)).toMatchObject({ key: "key" });
  expect(await below.get("key")).toBe("value, updated");
});

test("an entry is served for its ttl from when it was loaded, whatever level it comes from, and never past its expiry", async () => {
  const { clock, storage, below, evict, log, store } = setUp({ ttl: 1_000 });
  await below.put("key", "value");
  await below.put("short", "value", { ttl: 500 });
  await storage.getEntries(["key", "short"]);
  await clock.advance(400);
  expect((await store.head("key"))?.expiresAt).toBe(clock.now() + 600);
  expect((await store.head("short"))?.expiresAt).toBe(clock.now() + 100);
  await evict();
  expect(await storage.get("short")).toBe("value");
  await clock.advance(100);
  expect(await storage.get("short")).toBeUndefined();
  expect(await storage.get("key")).toBe("value"); // into memory, from the store
  log.length = 0;
  await clock.advance(499);
  await storage.get("key");
  expect(log).toEqual([]);
  await below.put("key", "new");
  await clock.advance(1);
  expect(await storage.get("key")).toBe("new");
});

test("a shorter ttl than the one an entry was stored with holds for what is stored already", async () => {
  const { clock, store, below } = await filled();
  await below.put("key", "new");
  await clock.advance(1_000);
  const stricter = stack(below, borrowed(), cached({ clock, ttl: 1_000, store: stack(store, borrowed()) }));
  expect(await stricter.get("key")).toBe("new");
  await clock.advance(0);
  expect(await store.get("key")).toBe("new");
});

test("another process finds what this one has stored", async () => {
  const { clock, store, below, log } = await filled();
  const next = stack(below, cached({ clock, store }));
  expect(await next.get("key")).toBe("value");
  expect(log).toEqual(["store getEntry"]);
});

test("two caches that share a store and a bus: what one is loading or has put there is gone once the other one has written", async () => {
  const clock = new VirtualClock();
  const below = new GatedStorage(memoryStorage<string>({ values, clock }), clock);
  const store = new GatedStorage(memoryStorage<string>({ values, clock }), clock);
  const bus = localBus();
  const make = (): Storage<string> =>
    stack(below, borrowed(), cached({ clock, maxEntries: 1, ttl: 60_000, bus, store: stack(store, borrowed()) }));
  const [one, two] = [make(), make()];
  await below.put("key", "old");
  const loaded = below.hold("getEntry");
  const loading = one.get("key");
  await clock.advance(0);
  await two.put("key", "new");
  loaded();
  expect(await loading).toBe("old"); // it was asked for before the write
  await clock.advance(0);
  expect(await store.get("key")).toBeUndefined();
  expect([await one.get("key"), await two.get("key")]).toEqual(["new", "new"]);

  const arrive = store.hold("put", "before effect");
  await below.put("late", "old");
  await one.get("late");
  const written = two.put("late", "new");
  await clock.advance(0);
  arrive(); // the old value gets there after the writer has removed it
  await written;
  await clock.advance(0);
  expect(await store.get("late")).toBeUndefined();
  expect(await one.get("late")).toBe("new");
});

test("1,000 concurrent misses ask the store once and below once, for success, failure and hang alike", async () => {
  const { clock, below, storage, log } = setUp({ loadTimeout: 5_000 });
  await below.put("key", "value");
  log.length = 0;
  const ask = (): Promise<PromiseSettledResult<string | undefined>[]> =>
    Promise.allSettled(Array.from({ length: 1_000 }, () => storage.get("key")));
  below.failure = down();
  expect((await ask()).every((result) => result.status === "rejected" && result.reason === below.failure)).toBe(true);
  expect(log.splice(0)).toEqual(["store getEntry", "below getEntry"]);
  below.failure = undefined;
  below.hold("getEntry");
  const hung = ask();
  await clock.advance(5_100);
  expect((await hung).every((result) => result.status === "rejected" && StorageError.is(result.reason, "timeout"))).toBe(true);
  expect(log.splice(0)).toEqual(["store getEntry", "below getEntry"]);
  expect((await ask()).every((result) => result.status === "fulfilled" && result.value === "value")).toBe(true);
  expect(log).toEqual(["store getEntry", "below getEntry", "store put"]);
});

test("getEntries asks the store once, and then below once for what is missing there", async () => {
  const { clock, below, storage, log, evict } = setUp();
  for (const key of ["a", "b", "c", "d"]) await below.put(key, key);
  await storage.getEntries(["a", "b"]);
  await clock.advance(0);
  await evict();
  expect((await storage.getEntries(["a", "b", "c", "d", "x"])).map((entry) => entry?.value)).toEqual(["a", "b", "c", "d", undefined]);
  expect(log).toEqual(["store getEntries", "below getEntries", "store put", "store put"]);
});

test.each<[string, string, (storage: Storage<string>) => Promise<unknown>]>([
  ["put", "delete", (storage) => storage.put("key", "new")],
  ["delete", "delete", (storage) => storage.delete("key")],
  [
    "batch",
    "batch",
    (storage) =>
      storage.batch([
        { type: "put", key: "key", value: "new" },
        { type: "delete", key: "a" },
      ]),
  ],
  ["clear", "clear", (storage) => storage.clear({ prefix: "k" })],
])("a %s takes its keys out of the store before it is sent, and again before it is acknowledged", async (operation, removal, write) => {
  const { storage, store, log, evict } = await filled();
  await write(storage);
  expect(log).toEqual([`store ${removal}`, `below ${operation}`, `store ${removal}`]);
  expect(await store.get("key")).toBeUndefined();
  await evict();
  expect(await storage.get("key")).toBe({ put: "new", batch: "new" }[operation]);
});

test("a write waits for the fill of its key, so that what is old does not get into the store after it", async () => {
  const { clock, below, storage, store, log, evict } = setUp();
  await below.put("key", "old");
  const letGo = store.hold("put", "before effect");
  expect(await storage.get("key")).toBe("old"); // no read waits for a fill
  const put = storage.put("key", "new");
  await clock.advance(0);
  expect(log.at(-1)).toBe("store put");
  letGo();
  await put;
  expect(await store.get("key")).toBeUndefined();
  await evict();
  expect(await storage.get("key")).toBe("new");
});

test("what is loaded while a write is under way is not put into the store", async () => {
  const { clock, below, storage, store, log } = await filled();
  const letGo = below.hold("put", "before effect");
  const put = storage.put("key", "new");
  await clock.advance(0);
  log.length = 0;
  expect(await storage.get("key")).toBe("value");
  expect(log).toEqual(["below getEntry"]);
  letGo();
  await put;
  await clock.advance(0);
  expect(await store.get("key")).toBeUndefined();
});

test("getEntries asks the store for what is settled, and below once for all that is left", async () => {
  const { clock, below, storage, log } = await filled();
  await below.put("other", "being written");
  const letGo = below.hold("put", "before effect");
  const put = storage.put("other", "new");
  await clock.advance(0);
  expect(log.splice(0).at(-1)).toBe("below put");
  expect((await storage.getEntries(["key", "other"])).map((entry) => entry?.value)).toEqual(["value", "being written"]);
  expect(log).toEqual(["store getEntries", "below getEntries"]);
  letGo();
  await put;
  expect((await storage.getEntries(["key", "other"])).map((entry) => entry?.value)).toEqual(["value", "new"]);
});

describe("a getEntries of which the store has a part", () => {
  /** It hangs below for the two keys that the store does not have. */
  async function hanging(): Promise<SetUp & { readonly controller: AbortController; readonly failed: Promise<unknown> }> {
    const made = await filled({ loadTimeout: 5_000 });
    const { clock, below, storage, log } = made;
    below.hold("getEntries");
    const controller = new AbortController();
    const failed = storage.getEntries(["key", "other", "third"], { signal: controller.signal }).catch((error: unknown) => error);
    await clock.advance(0);
    expect(log).toEqual(["store getEntries", "below getEntries"]);
    return { ...made, controller, failed };
  }

  test("is ended below when nobody waits for the rest any more", async () => {
    const { below, storage, controller, failed } = await hanging();
    const second = new AbortController();
    const joined = storage.get("third", { signal: second.signal }).catch((error: unknown) => error);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await failed).toBe(reason);
    expect(below.signals.at(-1)?.aborted).toBe(false);
    second.abort(reason);
    expect(await joined).toBe(reason);
    expect(below.signals.at(-1)?.aborted).toBe(true);
  });

  test("is ended below when loadTimeout is over", async () => {
    const { clock, below, failed } = await hanging();
    await clock.advance(5_500);
    expect(await failed).toMatchObject({ code: "timeout" });
    expect(below.signals.at(-1)?.aborted).toBe(true);
  });
});

describe("a store that cannot forget", () => {
  test.each(["put", "delete", "batch", "clear", "write"])("refuses a %s before it is sent", async (operation) => {
    const clock = new VirtualClock();
    const below = mockStorage({ clock });
    const store = mockStorage({ clock });
    const storage = stack(below, cached({ clock, store }));
    const failure = down();
    for (const removal of ["delete", "batch", "clear"] as const) store.on(removal).fails(failure);
    const bytes = new Uint8Array(1);
    let cancelled: unknown;
    const source = new ReadableStream({ cancel: (reason) => void (cancelled = reason) });
    const writes: Record<string, () => Promise<unknown>> = {
      put: () => storage.put("key", bytes),
      delete: () => storage.delete("key"),
      batch: () =>
        storage.batch([
          { type: "put", key: "a", value: bytes },
          { type: "put", key: "b", value: bytes },
        ]),
      clear: () => storage.clear(),
      write: () => storage.write("key", source),
    };
    const error: unknown = await writes[operation]?.().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "unavailable", outcome: "none", retryable: true, operation, storage: "cached", cause: failure });
    expect(below.calls).toEqual([]);
    if (operation === "write") expect(cancelled).toBe(error);
  });

  test("is not believed after a write, until it could", async () => {
    const { clock, below, store, storage, cache, log } = await filled({ ttl: 1_000, write: "around" });
    const letGo = below.hold("put");
    const put = storage.put("key", "new");
    await clock.advance(0);
    store.failures.set("delete", down());
    const label = { "stowage-cached": JSON.stringify({ loadedAt: clock.now() + 5_000 }) };
    await store.put("key", "old", { metadata: label }); // as another process might that was loading it
    letGo();
    await put;
    expect(cache.stats().storeFailures).toBe(1);
    const ask = async (): Promise<string[]> => {
      await clock.advance(1_000);
      log.length = 0;
      expect(await storage.get("key")).toBe("new");
      await clock.advance(0);
      return log;
    };
    expect(await ask()).toEqual(["below getEntry", "store delete"]); // it is not asked, and it is tried again
    store.failures.clear();
    expect(await ask()).toEqual(["below getEntry", "store delete"]);
    expect(await ask()).toEqual(["store getEntry", "below getEntry", "store put"]);
  });

  test("makes invalidate reject, and is not believed from then on", async () => {
    const { below, store, storage, cache } = await filled();
    store.failure = down();
    await below.put("key", "theirs");
    await expect(cache.invalidate("key")).rejects.toMatchObject({ code: "unavailable" });
    await expect(cache.invalidate({ prefix: "x" })).rejects.toMatchObject({ code: "unavailable" });
    store.failures.set("delete", down());
    store.failure = undefined;
    expect(await storage.get("key")).toBe("theirs");
  });

  test("is asked once more when the cache is closed", async () => {
    const clock = new VirtualClock();
    const kept = memoryStorage<string>({ values, clock });
    const store = new GatedStorage(kept, clock);
    const storage = stack(memoryStorage<string>({ values, clock }), cached({ clock, maxEntries: 1, store: stack(store, borrowed()) }));
    await storage.put("key", "value");
    await storage.put("other", "value");
    await storage.get("key");
    await clock.advance(0);
    expect(await kept.get("key")).toBe("value");
    store.failure = down();
    await findLayer(storage, CachedStorage)!
      .invalidate("key")
      .catch(() => {});
    store.failure = undefined;
    await storage.close();
    expect(await kept.get("key")).toBeUndefined();
  });
});

describe("a store that fails", () => {
  test("fails no read that can be answered from below, and is counted", async () => {
    const { store, storage, cache, evict } = await filled();
    store.failures.set("getEntry", down()).set("getEntries", down()).set("put", down());
    expect(await storage.get("key")).toBe("value");
    await evict();
    expect((await storage.getEntries(["key", "x"])).map((entry) => entry?.value)).toEqual(["value", undefined]);
    expect(cache.stats()).toMatchObject({ storeFailures: 2, storeHits: 0 });
  });

  test("by not answering is given up after storeTimeout", async () => {
    const { clock, store, storage, cache } = await filled({ storeTimeout: 200 });
    store.hold("getEntry");
    const got = storage.get("key");
    await clock.advance(250);
    expect(await got).toBe("value");
    store.hold("put", "before effect");
    expect(await storage.get("filled slowly")).toBeUndefined();
    expect(cache.stats().storeFailures).toBe(1);
  });

  test("by an entry that no cache has put there is passed over, and mended", async () => {
    for (const metadata of [
      undefined,
      { "stowage-cached": "{" },
      { "stowage-cached": "{}" },
      { "stowage-cached": '{"loadedAt":1,"etag":2}' },
    ]) {
      const { clock, below, store, storage, cache } = setUp();
      await below.put("key", "value");
      await store.put("key", "foreign", { metadata });
      expect(await storage.get("key")).toBe("value");
      await clock.advance(0);
      expect(await store.get("key")).toBe("value");
      expect(cache.stats().storeFailures).toBe(1);
    }
  });

  test("to read an entry for good has it replaced", async () => {
    const { clock, below, store, storage } = await filled();
    await below.put("key", "new");
    store.failures.set("getEntry", new StorageError("corrupt", "damaged"));
    expect(await storage.get("key")).toBe("new");
    await clock.advance(0);
    store.failures.clear();
    expect(await store.get("key")).toBe("new");
  });

  test("to put is not used for what it has no room for", async () => {
    const clock = new VirtualClock();
    const store = memoryStorage<string>({ values, clock, maxEntries: 1 });
    const storage = stack(memoryStorage<string>({ values, clock }), cached({ clock, maxEntries: 1, write: "around", store }));
    for (const key of ["a", "b", "c"]) {
      await storage.put(key, key);
      expect(await storage.get(key)).toBe(key);
    }
    await clock.advance(0);
    expect(findLayer(storage, CachedStorage)?.stats()).toMatchObject({ storeFailures: 2 });
    for (const key of ["a", "b", "c"]) expect(await storage.get(key)).toBe(key);
  });
});

test("a key that the store cannot hold is kept in memory alone", async () => {
  const clock = new VirtualClock();
  const store = stack(memoryStorage<string>({ values, clock }), limited({ keys: ["*.json"] }));
  const storage = stack(memoryStorage<string>({ values, clock }), cached({ clock, maxEntries: 1, store }));
  await storage.put("a.txt", "text");
  await storage.batch([
    { type: "put", key: "b.txt", value: "text" },
    { type: "put", key: "b.json", value: "json" },
  ]);
  expect(await storage.get("a.txt")).toBe("text");
  expect((await storage.getEntries(["a.txt", "b.txt", "b.json"])).map((entry) => entry?.value)).toEqual(["text", "text", "json"]);
  await storage.delete("a.txt");
  expect(await storage.get("a.txt")).toBeUndefined();
  expect(findLayer(storage, CachedStorage)?.stats().storeFailures).toBe(0);
});

test("an abort ends a write promptly, whichever level it waits for", async () => {
  for (const wait of ["before", "after"] as const) {
    const { clock, below, store, storage } = await filled();
    const controller = new AbortController();
    const reason = new Error("enough");
    if (wait === "before") store.hold("delete");
    const letGo = below.hold("put");
    const put = storage.put("key", "new", { signal: controller.signal }).catch((error: unknown) => error);
    await clock.advance(0);
    if (wait === "after") {
      store.hold("delete");
      letGo();
      await clock.advance(0);
    }
    controller.abort(reason);
    expect(await put).toBe(reason);
    expect(await below.get("key")).toBe(wait === "before" ? "value" : "new");
  }
});

test("what a caller changes after an abort is not cached", async () => {
  const clock = new VirtualClock();
  const below = memoryStorage<{ name: string }>({ values, clock });
  const store = new GatedStorage(memoryStorage<{ name: string }>({ values, clock }), clock);
  const storage = stack(below, cached({ clock, store }));
  const value = { name: "Ada" };
  const controller = new AbortController();
  const first = store.hold("delete");
  const second = store.hold("delete");
  const put = storage.put("key", value, { signal: controller.signal }).catch((error: unknown) => error);
  first();
  await clock.advance(0);
  controller.abort(new Error("enough"));
  await put;
  value.name = "changed";
  second();
  await clock.advance(0);
  expect(await storage.get("key")).toEqual({ name: "Ada" });
});

test("closing closes both, tells the first failure, and waits for what goes into the store", async () => {
  const { clock, below, store, storage } = setUp();
  await below.put("key", "value");
  const letGo = store.hold("put", "before effect");
  await storage.get("key");
  const closed: string[] = [];
  for (const [name, part] of Object.entries({ below, store })) {
    const { close } = part;
    part.close = async () => {
      closed.push(name);
      await close.call(part);
      if (name === "below") throw down();
    };
  }
  const closing = storage.close().catch((error: unknown) => error);
  await clock.advance(0);
  expect(closed).toEqual([]);
  letGo();
  expect(await closing).toMatchObject({ code: "unavailable" });
  expect(closed).toEqual(["below", "store"]);
});

test("a store that is borrowed stays open", async () => {
  const clock = new VirtualClock();
  const store = memoryStorage<string>({ values, clock });
  await stack(memoryStorage<string>({ values, clock }), cached({ clock, store: stack(store, borrowed()) })).close();
  expect(await store.get("key")).toBeUndefined();
});

test("the store is seen: as the second of what the cache stands on, by explain and by findLayer", () => {
  const { storage, below, store } = setUp();
  expect(storage.inner).toEqual([below, store]);
  expect(explain(storage)).toContain("store");
  expect(findLayer(storage, GatedStorage)).toBe(below); // of two, the one that the cache stands on
  expect(storage.details().options).toMatchObject({ storeTimeout: 1_000 });
});

test("a store in a folder, with an envelope and a codec of its own, is there again after a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "stowage-store-"));
  const users = memoryStorage<{ name: string }>({ values });
  const open = (): Storage<{ name: string }> =>
    stack(
      users,
      borrowed(),
      cached({
        ttl: 60_000,
        store: stack(fileStorage({ directory, durability: "process" }), envelope(), json<{ name: string }>()),
      }),
    );
  const first = open();
  await first.put("ada", { name: "Ada" });
  await users.put("bob", { name: "Bob" });
  await first.getEntries(["bob", "x"]);
  const told = await first.getEntry("bob");
  await first.close();
  const second = open();
  expect(await second.getEntry("bob")).toEqual(told);
  expect(findLayer(second, CachedStorage)?.stats()).toMatchObject({ storeHits: 1, storeFailures: 0 });
  await second.delete("bob");
  await second.close();
  const third = open();
  expect(await third.get("bob")).toBeUndefined();
  expect(await third.get("ada")).toEqual({ name: "Ada" });
  await third.close();
  await rm(directory, { recursive: true });
});

test("bytes and their streams come from memory or below, with a store of bytes behind", async () => {
  const clock = new VirtualClock();
  const below = mockStorage({ clock });
  const storage = stack(below, cached({ clock, maxEntries: 1, write: "around", store: memoryStorage({ clock }) }));
  await storage.write("key", new Blob(["0123456789"]));
  expect(new TextDecoder().decode(await storage.get("key"))).toBe("0123456789");
  await clock.advance(0);
  await storage.get("another key takes the room");
  await storage.put("another", new Uint8Array(1));
  await storage.get("another");
  const asked = below.calls.length;
  expect(new TextDecoder().decode(await storage.get("key"))).toBe("0123456789");
  expect(below.calls).toHaveLength(asked);
  const part = await storage.read("key", { start: 8 });
  expect(await new Response(part?.value).text()).toBe("89");
});

describe("a store is refused when the layer is made", () => {
  const bytes = memoryStorage();
  const any = memoryStorage<unknown>({ values });
  const poor = (): ByteStorage => fileStorage({ directory: "nowhere" });

  test.each<[string, () => unknown, RegExp]>([
    ["bytes behind values", () => cached({ store: bytes })(any as never), /must hold the values of the storage below/],
    ["values behind bytes", () => cached({ store: any })(bytes), /must hold bytes like the storage below/],
    ["no metadata", () => stack(bytes, cached({ store: poor() })), /must keep metadata.*envelope\(\)/],
    ["itself", () => stack(bytes, cached({ store: bytes })), /must not be what the cache stands on/],
    ["a part of itself", () => stack(bytes, borrowed(), cached({ store: stack(bytes, prefixed("cache/")) })), /must not be what/],
    ["no storage", () => cached({ store: {} as never }), /store must be a storage/],
    ["no time for it", () => cached({ storeTimeout: 0 }), /storeTimeout must be/],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "invalid-option", message: expect.stringMatching(message) as string }));
  });

  test("no expiry, where an entry may need one", () => {
    const store = memoryStorage<string>({ values });
    const endless = new GatedStorage(store, new VirtualClock());
    Object.defineProperty(endless, "capabilities", { value: { ...store.capabilities, ttl: false } });
    const lifeless = new GatedStorage(memoryStorage<string>({ values }), new VirtualClock());
    Object.defineProperty(lifeless, "capabilities", { value: { ...store.capabilities, ttl: false } });
    expect(() => cached({ store: endless })(memoryStorage<string>({ values }))).toThrow(/must be able to expire entries.*envelope\(\)/);
    expect(() => cached({ store: endless, ttl: 1_000 })(lifeless)).toThrow(/must be able to expire entries/);
    expect(cached({ store: endless })(lifeless).name).toBe("cached");
  });
});
