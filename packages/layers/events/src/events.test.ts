import { getEventListeners } from "node:events";
import type { AnyStorage, Bytes, ByteStorage, EntryInfo } from "@stowage/core";
import { findLayer, json, prefixed, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { EventName, StorageEvent } from "./index.ts";
import { events, EventsStorage } from "./index.ts";

const names: readonly EventName[] = ["put", "get", "delete", "clear", "error", "evict", "alert"];
const bytes = (length: number): Bytes => new Uint8Array(length).fill(7);

/** Everything that a layer tells from now on, in order. */
function recorded(storage: AnyStorage): StorageEvent[] {
  const layer = findLayer(storage, EventsStorage)!;
  const told: StorageEvent[] = [];
  for (const name of names) layer.on(name, (event) => told.push(event));
  return told;
}

const failing = (): StorageError => new StorageError("unavailable", "It is down.", { operation: "get" });

/** A storage on a clock that a test moves, whose calls take as long as the mock is told. */
function watched(): { clock: VirtualClock; mock: ReturnType<typeof mockStorage>; storage: ByteStorage; told: StorageEvent[] } {
  const clock = new VirtualClock();
  const mock = mockStorage({ clock });
  const storage = stack(mock, events({ clock, subject: "users" }));
  return { clock, mock, storage, told: recorded(storage) };
}

test("put, get, delete and clear are told with place, key, duration, bytes, and whether something was there", async () => {
  const { clock, mock, storage, told } = watched();
  const at = clock.now();
  mock.on("get").delays(5);
  await storage.put("key", bytes(3));
  const got = storage.get("key");
  await clock.advance(5);
  await got;
  const missed = storage.get("missing");
  await clock.advance(5);
  await missed;
  await storage.delete("key");
  await storage.clear({ prefix: "k" });
  await storage.clear();
  const place = { subject: "users" };
  expect(told).toEqual([
    {
      ...place,
      type: "put",
      operation: "put",
      key: "key",
      bytes: 3,
      at,
      duration: 0,
      info: expect.objectContaining({ key: "key", size: 3 }) as object,
    },
    { ...place, type: "get", operation: "get", key: "key", hit: true, bytes: 3, at: at + 5, duration: 5 },
    { ...place, type: "get", operation: "get", key: "missing", hit: false, bytes: undefined, at: at + 10, duration: 5 },
    { ...place, type: "delete", operation: "delete", key: "key", at: at + 10, duration: 0 },
    { ...place, type: "clear", operation: "clear", prefix: "k", at: at + 10, duration: 0 },
    { ...place, type: "clear", operation: "clear", prefix: "", at: at + 10, duration: 0 },
  ]);
});

test("getEntry and getEntries are told as a get for each key, head, has and list not at all", async () => {
  const { storage, told } = watched();
  await storage.put("a", bytes(1));
  told.length = 0;
  await storage.getEntry("a");
  await storage.getEntries(["a", "b", "a"]);
  await storage.head("a");
  await storage.has("a");
  await storage.list();
  await storage.flush();
  expect(told).toMatchObject([
    { type: "get", operation: "getEntry", key: "a", hit: true, bytes: 1 },
    { type: "get", operation: "getEntries", key: "a", hit: true, bytes: 1 },
    { type: "get", operation: "getEntries", key: "b", hit: false },
    { type: "get", operation: "getEntries", key: "a", hit: true, bytes: 1 },
  ]);
  expect(told).toHaveLength(4);
});

test("a batch is told by each key, and what failed of it as an error", async () => {
  const { mock, storage, told } = watched();
  const error = failing();
  mock
    .on("batch")
    .fails(new StorageError("partial", "One failed.", { operation: "batch", failures: [{ index: 1, key: "b", error }] }), { times: 1 });
  const failed = storage.batch([
    { type: "put", key: "a", value: bytes(2) },
    { type: "put", key: "b", value: bytes(2) },
    { type: "delete", key: "c" },
  ]);
  await expect(failed).rejects.toMatchObject({ code: "partial" });
  expect(told).toMatchObject([
    { type: "put", operation: "batch", key: "a", bytes: 2, info: undefined },
    { type: "error", operation: "batch", key: "b", error },
    { type: "delete", operation: "batch", key: "c" },
  ]);
  told.length = 0;
  mock.on("batch").fails(error);
  await expect(storage.batch([{ type: "delete", key: "c" }])).rejects.toBe(error);
  expect(told).toMatchObject([{ type: "error", operation: "batch", key: "c", error }]);
});

test("a put that expires before it is stored is told as the delete that it is", async () => {
  const { clock, storage, told } = watched();
  const past = clock.now() - 1;
  await storage.put("a", bytes(1), { expiresAt: past });
  await storage.batch([{ type: "put", key: "b", value: bytes(1), options: { expiresAt: past } }]);
  await storage.write("c", new Blob(["x"]), { expiresAt: past });
  await storage.put("d", bytes(1), { ttl: 5 });
  expect(told.map((event) => [event.type, "key" in event && event.key])).toEqual([
    ["delete", "a"],
    ["delete", "b"],
    ["delete", "c"],
    ["put", "d"],
  ]);
});

test("a failure is told with its key, as the same object that the caller gets", async () => {
  const { mock, storage, told } = watched();
  const error = failing();
  mock.on("get").fails(error);
  mock.on("list").fails(error);
  mock.on("has").fails(error);
  for (const call of [storage.get("key"), storage.list(), storage.has("key")]) await expect(call).rejects.toBe(error);
  expect(told).toMatchObject([
    { type: "error", operation: "get", key: "key", error },
    { type: "error", operation: "list", key: undefined, error },
    { type: "error", operation: "has", key: "key", error },
  ]);
});

test("a streamed read is told at its end with the bytes that were handed out, also where it was cancelled", async () => {
  const { storage, told } = watched();
  await storage.write("key", async function* () {
    yield bytes(10);
    yield bytes(20);
  });
  const whole = await storage.read("key");
  expect(told.map(({ type }) => type)).toEqual(["put"]);
  for await (const chunk of whole!.value) expect(chunk.byteLength).toBeGreaterThan(0);
  const cancelled = await storage.read("key");
  await cancelled!.value.cancel();
  await storage.read("missing");
  expect(told).toMatchObject([
    { type: "put", operation: "write", key: "key", bytes: 30 },
    { type: "get", operation: "read", key: "key", hit: true, bytes: 30 },
    { type: "get", operation: "read", key: "key", hit: true, bytes: 0 },
    { type: "get", operation: "read", key: "missing", hit: false },
  ]);
});

test("a stream that breaks is told as an error, once", async () => {
  const error = failing();
  const below = memoryStorage();
  below.read = (key) => {
    const start = (controller: ReadableStreamDefaultController<Bytes>): void => controller.enqueue(bytes(4));
    const pull = (controller: ReadableStreamDefaultController<Bytes>): void => controller.error(error);
    return Promise.resolve({ key, value: new ReadableStream<Bytes>({ start, pull }, { highWaterMark: 0 }) });
  };
  const storage = stack(below, events());
  const told = recorded(storage);
  const reader = (await storage.read("key"))!.value.getReader();
  await reader.read();
  await expect(reader.read()).rejects.toBe(error);
  await reader.cancel().catch(() => {});
  expect(told).toMatchObject([{ type: "error", operation: "read", key: "key", error }]);
});

test("a streamed read that is aborted is told as an error at once, although nobody reads on, and leaves its signal alone then", async () => {
  const { storage, told } = watched();
  await storage.put("key", bytes(30));
  told.length = 0;
  const controller = new AbortController();
  const { signal } = controller;
  for (const isRead of [true, false]) {
    const ended = await storage.read("key", { signal });
    if (isRead) await new Response(ended!.value).bytes();
    else await ended!.value.cancel();
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
  await storage.read("key", { signal });
  controller.abort(new Error("enough"));
  expect(told).toMatchObject([
    { type: "get", operation: "read", bytes: 30 },
    { type: "get", operation: "read", bytes: 0 },
    { type: "error", operation: "read", key: "key", error: signal.reason as Error },
  ]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a streamed read that is aborted while it is handed out is told too", async () => {
  const below = memoryStorage();
  const storage = stack(below, events());
  const told = recorded(storage);
  const controller = new AbortController();
  below.read = (key) => {
    queueMicrotask(() => controller.abort(new Error("enough")));
    return Promise.resolve({ key, value: new ReadableStream<Bytes>() });
  };
  await storage.read("key", { signal: controller.signal });
  expect(told).toMatchObject([{ type: "error", operation: "read", key: "key", error: controller.signal.reason as Error }]);
});

test("values of a codec are told without bytes where nobody counted them", async () => {
  const storage = stack(memoryStorage(), json<string>(), events());
  const told = recorded(storage);
  await storage.put("key", "value");
  await storage.get("key");
  expect(told).toMatchObject([
    { type: "put", subject: "json", key: "key" },
    { type: "get", subject: "json", key: "key", bytes: undefined },
  ]);
});

test("listeners hear in the order of subscription, right before the caller, until they end it", async () => {
  const storage = stack(memoryStorage<string>({ values: "any" }), events());
  const layer = findLayer(storage, EventsStorage)!;
  const heard: string[] = [];
  const stop = layer.on("put", () => heard.push("first"));
  layer.on("put", () => heard.push("second"));
  await storage.put("key", "value").then(() => heard.push("caller"));
  stop();
  stop();
  await storage.put("key", "value");
  expect(heard).toEqual(["first", "second", "caller", "second"]);
  expect(layer.details().stats["listeners"]).toBe(1);
});

test("who is ended by a listener before him is not called, and who comes meanwhile hears of the next event", async () => {
  const storage = stack(memoryStorage<string>({ values: "any" }), events());
  const layer = findLayer(storage, EventsStorage)!;
  const heard: string[] = [];
  layer.on("put", () => {
    stop();
    if (heard.length === 0) layer.on("put", () => heard.push("late"));
    heard.push("first");
  });
  const stop = layer.on("put", () => heard.push("ended"));
  await storage.put("key", "value");
  await storage.put("key", "value");
  expect(heard).toEqual(["first", "first", "late"]);
});

test("in any order of coming, going and telling, those who listen hear each event once and in order", async () => {
  const steps = fc.array(fc.oneof(fc.constant("on" as const), fc.constant("tell" as const), fc.nat(7)), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const storage = stack(memoryStorage<string>({ values: "any" }), events());
      const layer = findLayer(storage, EventsStorage)!;
      const heard: string[] = [];
      const expected: string[] = [];
      const present: { readonly id: number; readonly stop: () => void }[] = [];
      for (const [id, step] of plan.entries()) {
        if (step === "on") present.push({ id, stop: layer.on("put", ({ key }) => heard.push(`${id} ${key}`)) });
        else if (step === "tell") {
          await storage.put(`k${id}`, "value");
          expected.push(...present.map((listener) => `${listener.id} k${id}`));
        } else if (present.length > 0) present.splice(step % present.length, 1)[0]?.stop();
      }
      expect(heard).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});

test("a listener that throws or rejects is reported and counted, and changes nothing for the caller and the others", async () => {
  const reported: unknown[][] = [];
  const storage = stack(
    memoryStorage<string>({ values: "any" }),
    events({
      onListenerError: (...report) => {
        reported.push(report);
        throw new Error("The reporter is broken too.");
      },
    }),
  );
  const layer = findLayer(storage, EventsStorage)!;
  const heard: string[] = [];
  layer.on("get", () => {
    throw new Error("thrown");
  });
  const rejects = (): unknown => Promise.reject(new Error("rejected"));
  layer.on("get", rejects);
  layer.on("get", ({ key }) => heard.push(key));
  await storage.put("key", "value");
  expect(await storage.get("key")).toBe("value");
  await new Promise(setImmediate);
  expect(heard).toEqual(["key"]);
  expect(reported.map(([error]) => (error as Error).message)).toEqual(["thrown", "rejected"]);
  expect(reported[0]?.[1]).toMatchObject({ type: "get", key: "key" });
  expect(layer.details().stats["listenerErrors"]).toBe(2);
});

test("while nobody listens the promise of the storage below is handed on itself", () => {
  const answer = Promise.resolve(undefined);
  const below = memoryStorage<string>({ values: "any" });
  for (const name of ["get", "getEntry", "head", "has", "list", "put", "delete", "clear", "flush"] as const) {
    below[name] = (() => answer) as never;
  }
  const storage = stack(below, events());
  const stop = findLayer(storage, EventsStorage)!.on("get", () => {});
  stop();
  for (const call of [storage.get("a"), storage.getEntry("a"), storage.head("a"), storage.has("a"), storage.list()])
    expect(call).toBe(answer);
  for (const call of [storage.put("a", "b"), storage.delete("a"), storage.clear(), storage.flush()]) expect(call).toBe(answer);
});

test("close waits for what runs, tells of it, and then ends every subscription; on and watch are refused then", async () => {
  const below = memoryStorage();
  let store = (): void => {};
  const stored = new Promise<EntryInfo>((resolve) => (store = () => resolve({ key: "key" })));
  below.put = () => stored;
  below.close = async () => void (await stored);
  const storage = stack(below, events());
  const told = recorded(storage);
  const layer = findLayer(storage, EventsStorage)!;
  const put = storage.put("key", bytes(1));
  const closed = storage.close();
  expect(() => layer.on("put", () => {})).toThrow(expect.objectContaining({ code: "closed" }));
  store();
  await Promise.all([put, closed]);
  expect(told).toMatchObject([{ type: "put", key: "key" }]);
  expect(layer.details().stats["listeners"]).toBe(0);
});

test("a name that there is not is refused with a sentence", () => {
  const layer = findLayer(stack(memoryStorage(), events()), EventsStorage)!;
  expect(() => layer.on("evicted" as never, () => {})).toThrow('events: there is no event "evicted".');
  expect(() => layer.on("put", "no" as never)).toThrow("events: a listener must be a function.");
});

/** A layer that offers evictions as a cache does. */
class Evicting {
  readonly listeners = new Set<(evicted: { key: string; size?: number }) => void>();
  onEvict(listener: (evicted: { key: string; size?: number }) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}

test("evictions of any layer below are told with its name, and nobody is asked while nobody listens", () => {
  const cache = new Evicting();
  const below = memoryStorage<string>({ values: "any" });
  Object.assign(below, { onEvict: (listener: never) => cache.onEvict(listener) });
  const storage = stack(below, prefixed("a/"), events({ subject: "users" }));
  const layer = findLayer(storage, EventsStorage)!;
  expect(cache.listeners.size).toBe(0);
  const told: StorageEvent[] = [];
  const stop = layer.on("evict", (event) => told.push(event));
  const stopOther = layer.on("evict", () => {});
  expect(cache.listeners.size).toBe(1);
  for (const listener of cache.listeners) listener({ key: "a/key", size: 5 });
  expect(told).toMatchObject([{ type: "evict", subject: "users", storage: "memory", key: "a/key", bytes: 5 }]);
  stop();
  stopOther();
  expect(cache.listeners.size).toBe(0);
});

test.each([
  [{ before: "no" }, "events: before must be a function."],
  [{ onAlert: {} }, "events: onAlert must be a function."],
  [{ subject: 5 }, "events: subject must be text."],
  [{ befor: () => {} }, 'events: there is no option "befor"; did you mean "before"?'],
  [{ alerts: {} }, "events: alerts must be a list"],
  [{ alerts: [{ metric: "speed", above: 1 }] }, 'events: an alert: metric must be "operationsPerSecond"'],
  [{ alerts: [{ metric: "latency", abvoe: 1 }] }, 'events: an alert: there is no option "abvoe"; did you mean "above"?'],
  [{ alerts: [null] }, "events: an alert: the options must be an object."],
  [{ alerts: [{ metric: "latency" }] }, "events: an alert needs exactly one of above and below."],
  [{ alerts: [{ metric: "latency", above: 1, below: 1 }] }, "events: an alert needs exactly one of above and below."],
  [{ alerts: [{ metric: "latency", above: 1, percentile: 0 }] }, "events: the percentile of an alert must be above 0."],
  [{ alerts: [{ metric: "errorRate", above: 0.1, percentile: 5 }] }, "events: only an alert on latency has a percentile."],
  [{ alerts: [{ metric: "hitRatio", below: 80 }] }, "events: the limit of an alert on hitRatio must be from 0 to 1."],
  [{ alerts: [{ metric: "hitRatio", below: 0.8, operation: "put" }] }, 'events: an alert on hitRatio is about the operation "get".'],
])("the options %j are refused when the layer is made", (options, message) => {
  expect(() => events(options as never)).toThrow(message);
  expect(() => events(options as never)).toThrow(StorageError);
});
