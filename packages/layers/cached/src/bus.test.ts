import type { Call, Next, Storage } from "@stowage/core";
import { AroundStorage, borrowed, findLayer, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { Bus, Invalidation } from "./index.ts";
import { cached, CachedStorage, localBus } from "./index.ts";

const clock = new VirtualClock();
const ttl = 60_000;

/** A bus that keeps what it was told, and delivers nothing by itself. */
class WatchedBus implements Bus {
  readonly sent: Invalidation[] = [];
  readonly listeners = new Set<(message: Invalidation) => void>();
  failure: unknown;

  async publish(message: Invalidation): Promise<void> {
    this.sent.push(message);
    if (this.failure !== undefined) throw this.failure;
  }

  subscribe(listener: (message: Invalidation) => void): () => void {
    if (this.failure !== undefined) throw this.failure;
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  deliver(message: unknown): void {
    for (const listener of this.listeners) listener(message as Invalidation);
  }
}

interface Watched {
  readonly bus: WatchedBus;
  readonly storage: Storage<string>;
  readonly below: Storage<string>;
  readonly cache: CachedStorage<string>;
}

function watched(below: Storage<string> = memoryStorage<string>({ values: "any", clock })): Watched {
  const bus = new WatchedBus();
  const storage = stack(below, cached({ clock, bus, ttl }));
  return { bus, storage, below, cache: findLayer(storage, CachedStorage) as CachedStorage<string> };
}

const other = { sender: "another" };

test("caches of one process on a local bus never serve what another of them has changed", async () => {
  const files = memoryStorage<string>({ values: "any", clock });
  const bus = localBus();
  const make = (): Storage<string> => stack(files, borrowed(), cached({ clock, bus, ttl, missingTtl: ttl }));
  const [one, two, three] = [make(), make(), make()];
  const readAll = async (): Promise<unknown[]> => [await one.get("key"), await two.get("key"), await three.get("key")];
  await one.put("key", "first");
  expect(await readAll()).toEqual(["first", "first", "first"]);
  await two.put("key", "second");
  expect(await readAll()).toEqual(["second", "second", "second"]);
  await three.batch([{ type: "put", key: "key", value: "third" }]);
  expect(await readAll()).toEqual(["third", "third", "third"]);
  await one.delete("key");
  expect(await readAll()).toEqual([undefined, undefined, undefined]);
  await two.put("key", "fourth");
  expect(await readAll()).toEqual(["fourth", "fourth", "fourth"]);
  await three.clear({ prefix: "k" });
  expect(await readAll()).toEqual([undefined, undefined, undefined]);
  expect(findLayer(one, CachedStorage)?.stats()).toMatchObject({ busFailures: 0, invalidations: 4 });
});

test("keys and prefixes travel, values never do", async () => {
  const { bus, storage, cache } = watched();
  await storage.put("key", "secret value");
  await storage.delete("key");
  await storage.batch([
    { type: "put", key: "a", value: "secret value" },
    { type: "delete", key: "b" },
  ]);
  await storage.clear({ prefix: "users/" });
  await storage.clear();
  await cache.invalidate("c");
  await cache.invalidate({ prefix: "d" });
  expect(bus.sent.map(({ sender: _sender, ...target }) => target)).toEqual([
    { keys: ["key"] },
    { keys: ["key"] },
    { keys: ["a", "b"] },
    { prefix: "users/" },
    { prefix: "" },
    { keys: ["c"] },
    { prefix: "d" },
  ]);
  expect(new Set(bus.sent.map(({ sender }) => sender)).size).toBe(1);
  expect(JSON.parse(JSON.stringify(bus.sent))).toEqual(bus.sent);
});

test("a write is told once it has ended, also when it failed or nobody knows", async () => {
  const below = mockStorage<string>({ values: "any", clock });
  const { bus, storage } = watched(below);
  for (const outcome of ["none", "unknown"] as const) {
    below.on("put", "key").fails(new StorageError("unavailable", "down", { outcome }), { times: 1 });
    bus.sent.length = 0;
    const put = storage.put("key", "value");
    expect(bus.sent).toEqual([]);
    await expect(put).rejects.toThrow("down");
    expect(bus.sent).toMatchObject([{ keys: ["key"] }]);
  }
});

test("what a cache sent itself does not make it forget", async () => {
  const { bus, storage, cache } = watched();
  await storage.put("key", "value");
  for (const message of bus.sent) bus.deliver(message);
  expect(cache.stats()).toMatchObject({ entries: 1, invalidations: 0 });
  bus.deliver({ ...other, keys: ["key"] });
  expect(cache.stats()).toMatchObject({ entries: 0, invalidations: 1 });
});

/** Holds the answer of one call at a time. */
class HeldStorage extends AroundStorage<string> {
  readonly name = "held";
  hold: string | undefined;
  letGo = (): void => {};

  protected override async around<T>(call: Call, next: Next<T>): Promise<T> {
    const result = await next();
    if (call.operation === this.hold) await new Promise<void>((resolve) => (this.letGo = resolve));
    return result;
  }
}

test.each([{ keys: ["key"] }, { prefix: "k" }, { prefix: "" }])(
  "what is loaded or written while %j is heard is not kept, and nobody joins that load any more",
  async (target) => {
    const below = new HeldStorage(memoryStorage<string>({ values: "any", clock }), clock);
    const { bus, storage } = watched(below);
    await storage.get("another key"); // it listens from here on
    await below.put("key", "old");
    below.hold = "getEntry";
    const slow = storage.get("key");
    await clock.advance(0);
    const { letGo } = below;
    below.hold = undefined;
    await below.put("key", "new");
    bus.deliver({ ...other, ...target });
    expect(await storage.get("key")).toBe("new");
    letGo();
    expect(await slow).toBe("old");
    expect(await storage.get("key")).toBe("new");

    below.hold = "put";
    const put = storage.put("key", "mine");
    await clock.advance(0);
    bus.deliver({ ...other, ...target }); // theirs may have come before mine or after
    below.letGo();
    await put;
    below.hold = undefined;
    await below.put("key", "theirs");
    expect(await storage.get("key")).toBe("theirs");
  },
);

test("a bus that is down fails no write and no read, and is counted", async () => {
  const { bus, storage, cache } = watched();
  bus.failure = new Error("down");
  await storage.put("key", "value");
  await storage.put("key", "another");
  await storage.delete("key");
  expect(await storage.get("key")).toBeUndefined();
  await clock.advance(0);
  expect(cache.stats().busFailures).toBe(3 + 4); // messages, and attempts to listen
  bus.failure = undefined;
  await storage.get("key");
  expect(bus.listeners.size).toBe(1);
});

test("a message that was lost is made up for when ttl is over", async () => {
  const { storage, below } = watched();
  await storage.put("key", "old");
  await below.put("key", "new");
  await clock.advance(ttl - 1);
  expect(await storage.get("key")).toBe("old");
  await clock.advance(1);
  expect(await storage.get("key")).toBe("new");
});

test.each<unknown>([
  undefined,
  "key",
  {},
  { keys: ["key"] },
  { sender: 1, keys: ["key"] },
  { ...other, keys: "key" },
  { ...other, keys: [1] },
  { ...other, prefix: null },
])("the message %j is counted and does nothing", async (message) => {
  const { bus, storage, cache } = watched();
  await storage.put("key", "value");
  bus.deliver(message);
  expect(cache.stats()).toMatchObject({ entries: 1, invalidations: 0, busFailures: 1 });
});

test("a cache listens from its first call until it is closed, and its last messages are sent before that", async () => {
  const { bus, storage } = watched();
  expect(bus.listeners.size).toBe(0);
  let letGo = (): void => {};
  bus.publish = () => new Promise((resolve) => (letGo = resolve));
  await storage.put("key", "value");
  expect(bus.listeners.size).toBe(1);
  let closed = false;
  const closing = storage.close().then(() => (closed = true));
  await clock.advance(0);
  expect([bus.listeners.size, closed]).toEqual([0, false]);
  letGo();
  await closing;
});

test("a message that is never sent does not keep a cache from closing", async () => {
  const { bus, storage } = watched();
  bus.publish = () => new Promise(() => {});
  await storage.put("key", "value");
  const closing = storage.close();
  await clock.advance(10_000);
  await closing;
});

test.each<[string, () => void]>([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken"))],
])("a listener that %s keeps no other one from hearing, and whoever publishes is told", async (_, broken) => {
  const bus = localBus();
  const heard: Invalidation[] = [];
  bus.subscribe(broken);
  const stop = bus.subscribe((message) => heard.push(message));
  const message = { ...other, keys: ["key"] };
  await expect(bus.publish(message)).rejects.toThrow("broken");
  stop();
  await expect(bus.publish(message)).rejects.toThrow("broken");
  expect(heard).toEqual([message]);
});

test("a bus without a ttl is refused, as is what is no bus", () => {
  expect(() => cached({ bus: localBus() })).toThrow(/a bus needs a ttl/);
  expect(() => cached({ bus: {} as Bus, ttl })).toThrow(/publish and subscribe/);
  expect(() => cached({ bus: null as never, ttl })).toThrow(expect.objectContaining({ code: "invalid-option" }));
});
