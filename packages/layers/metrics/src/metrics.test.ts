import { getEventListeners } from "node:events";
import { context, diag, metrics as openTelemetry, trace } from "@opentelemetry/api";
import type { AnyStorage, Bytes } from "@stowage/core";
import { borrowed, explain, findLayer, ForwardingStorage, json, stack, StorageError } from "@stowage/core";
import { cached, CachedStorage } from "@stowage/cached";
import { memoryStorage } from "@stowage/memory";
import { MockStorage, VirtualClock } from "@stowage/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { PlaceMetrics } from "./index.ts";
import { metrics, metricsOf, MetricsStorage } from "./index.ts";

afterEach(() => {
  openTelemetry.disable();
  trace.disable();
  context.disable();
  diag.disable();
});

const bytes = (size: number): Bytes => new Uint8Array(size);

async function* inSteps(clock: VirtualClock, sizes: readonly number[], pause = 0): AsyncGenerator<Bytes> {
  for (const size of sizes) {
    await clock.advance(pause);
    yield bytes(size);
  }
}

const only = (storage: AnyStorage): PlaceMetrics => {
  const [place, ...others] = metricsOf(storage);
  expect(others).toEqual([]);
  return place!;
};

/** A layer whose work takes a while before and after the call below. */
class Slow<V> extends ForwardingStorage<V> {
  readonly name = "slow";
  readonly virtual: VirtualClock;

  constructor(inner: AnyStorage, clock: VirtualClock) {
    super(inner, clock);
    this.virtual = clock;
  }

  override async get(key: string): Promise<V | undefined> {
    await this.virtual.advance(3);
    const value = await super.get(key);
    await this.virtual.advance(4);
    return value;
  }
}

class SlowBackend<V> extends Slow<V> {
  override async get(key: string): Promise<V | undefined> {
    await this.virtual.advance(10);
    return await this.below.get(key);
  }
}

test("counts the calls of each operation, and how they ended", async () => {
  const storage = stack(memoryStorage(), metrics());
  await storage.put("a", bytes(10));
  await storage.get("a");
  await storage.get("b");
  await storage.has("b");
  await storage.head("b");
  await storage.getEntry("a");
  await storage.getEntries(["a", "b"]);
  await storage.list();
  await storage.batch([
    { type: "put", key: "c", value: bytes(5) },
    { type: "delete", key: "a" },
  ]);
  await storage.delete("c");
  await storage.clear();
  await storage.flush();
  const { operations, calls, errors, bytesIn, bytesOut } = only(storage);
  expect({ calls, errors, bytesIn, bytesOut }).toEqual({ calls: 12, errors: 0, bytesIn: 15, bytesOut: 30 });
  expect(operations.get).toMatchObject({ calls: 2, missing: 1, aborted: 0, errors: {}, bytesOut: 10 });
  expect(operations.has).toMatchObject({ calls: 1, missing: 1 });
  expect(operations.head).toMatchObject({ calls: 1, missing: 1 });
  expect(operations.getEntries).toMatchObject({ calls: 1, missing: 0, bytesOut: 10 });
  expect(Object.keys(operations)).toEqual("get getEntry getEntries head has list put delete batch clear flush".split(" "));
});

test("counts errors by their code, and whatever is no storage error as one more", async () => {
  const mock = new MockStorage();
  const storage = stack(mock, metrics());
  for (const error of [
    new StorageError("unavailable", "Down."),
    new StorageError("unavailable", "Down."),
    new StorageError("timeout", "Late."),
    new TypeError("of the key secret"),
    Object.assign(new StorageError("internal", "x"), { code: "user:1" }),
  ]) {
    mock.on("get", "a").fails(error, { times: 1 });
    await expect(storage.get("a")).rejects.toBe(error);
  }
  expect(only(storage).operations.get?.errors).toEqual({ unavailable: 2, timeout: 1, _OTHER: 2 });
  expect(only(storage).errors).toBe(5);
});

test("what its caller gives up is no error", async () => {
  const mock = new MockStorage();
  const storage = stack(mock, metrics());
  mock.on("get", "a").hangs();
  const controller = new AbortController();
  const call = storage.get("a", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
  expect(only(storage).operations.get).toMatchObject({ calls: 1, aborted: 1, errors: {} });
});

test("a rejection that nobody handles is still nobody's", async () => {
  const mock = new MockStorage();
  mock.on("put", "a").fails(new StorageError("full", "Full."));
  const seen = vi.fn();
  process.once("unhandledRejection", seen);
  void stack(mock, metrics()).put("a", bytes(1));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  process.removeAllListeners("unhandledRejection");
  expect(seen).toHaveBeenCalledTimes(1);
});

test("times are those of the clock that it is given", async () => {
  const clock = new VirtualClock();
  const storage = metrics({ clock })(new Slow<Bytes>(memoryStorage({ clock }), clock));
  for (let call = 0; call < 10; call++) await storage.get("a");
  const { get } = only(storage).operations;
  expect(get).toMatchObject({ time: 70, mean: 7 });
  for (const quantile of [get?.p50, get?.p90, get?.p99, get?.p999]) expect(Math.abs(quantile! - 7) / 7).toBeLessThan(0.032);
});

test("without a clock times are those of the machine, which nobody sets back", async () => {
  vi.spyOn(Date, "now").mockReturnValue(0);
  const storage = stack(memoryStorage(), metrics());
  await storage.get("a");
  expect(only(storage).time).toBeGreaterThan(0);
  vi.restoreAllMocks();
});

test("several tell the time of each part, from the backend up", async () => {
  const clock = new VirtualClock();
  const each = metrics({ clock });
  const slow = each(new Slow<Bytes>(each(new SlowBackend<Bytes>(memoryStorage({ clock }), clock)), clock));
  const storage = each(json()(slow as never) as AnyStorage);
  for (let call = 0; call < 5; call++) await storage.get("a");
  expect(
    metricsOf(storage).map(({ layer, parts, calls, ownTime, approximate }) => ({ layer, parts, calls, ownTime, approximate })),
  ).toEqual([
    { layer: "slow", parts: ["memory", "slow"], calls: 5, ownTime: 50, approximate: false },
    { layer: "slow", parts: ["slow"], calls: 5, ownTime: 35, approximate: false },
    { layer: "json", parts: ["json"], calls: 5, ownTime: 0, approximate: false },
  ]);
});

test("what goes on in the background is not the time of those who wait", async () => {
  const clock = new VirtualClock();
  const mock = new MockStorage({ clock });
  const storage = stack(mock, metrics({ clock }), cached({ clock, ttl: 10, staleWhileRevalidate: 10_000 }), metrics({ clock }));
  await storage.put("a", bytes(1));
  await storage.get("a");
  await clock.advance(50);
  mock.on("getEntry", "a").delays(500);
  await storage.get("a"); // stale, while a new value is loaded
  await clock.advance(1_000);
  const [below, above] = metricsOf(storage);
  expect(below).toMatchObject({ layer: "mock", time: 500, ownTime: 0, approximate: true });
  expect(above).toMatchObject({ layer: "cached", time: 0, ownTime: 0, approximate: true });
});

test("the time of calls that fan out is that of the caller, and says that it is an estimate", async () => {
  const clock = new VirtualClock();
  const mock = new MockStorage({ clock });
  class Fans extends ForwardingStorage<Bytes> {
    readonly name = "fans";
    override async getEntries(keys: readonly string[]): Promise<never[]> {
      await Promise.all(keys.map((key) => this.below.get(key)));
      return [];
    }
  }
  const storage = metrics({ clock })(new Fans(metrics({ clock })(mock)));
  mock.on("get").delays(20);
  const call = storage.getEntries(["a", "b", "c"]);
  await clock.advance(20);
  await call;
  const [below, above] = metricsOf(storage);
  expect(below).toMatchObject({ calls: 3, time: 60, ownTime: 20, approximate: true });
  expect(above).toMatchObject({ calls: 1, time: 20, ownTime: 0, approximate: true });
});

test("a stream has the time in which its reader waits for it, and ends when it is read", async () => {
  const clock = new VirtualClock();
  const storage = stack(memoryStorage({ clock }), metrics({ clock }));
  await storage.put("a", bytes(200_000));
  const entry = await storage.read("a");
  let size = 0;
  for await (const chunk of entry!.value) {
    expect(only(storage).operations.read).toBeUndefined();
    size += chunk.byteLength;
    await clock.advance(1_000); // a slow reader
  }
  expect(size).toBe(200_000);
  expect(only(storage).operations.read).toMatchObject({ calls: 1, time: 0, bytesOut: 200_000 });
  expect(await storage.read("b")).toBeUndefined();
  expect(only(storage).operations.read).toMatchObject({ calls: 2, missing: 1 });
});

test("a stream that is let go or breaks has ended too", async () => {
  const clock = new VirtualClock();
  const mock = new MockStorage({ clock });
  const storage = stack(mock, metrics({ clock }));
  await storage.put("a", bytes(200_000));
  const entry = await storage.read("a");
  await entry?.value.cancel();
  expect(only(storage).operations.read).toMatchObject({ calls: 1, aborted: 1, errors: {} });
  const controller = new AbortController();
  const aborted = await storage.read("a", { signal: controller.signal });
  const reader = aborted!.value.getReader();
  await reader.read();
  controller.abort(new Error("enough"));
  await expect(reader.read()).rejects.toThrow("enough");
  expect(only(storage).operations.read).toMatchObject({ calls: 2, aborted: 2 });
  const failing = metrics()(new Breaking(mock, clock));
  const broken = await failing.read("a");
  await expect(broken!.value.getReader().read()).rejects.toMatchObject({ code: "corrupt" });
  expect(only(failing).operations.read).toMatchObject({ calls: 1, errors: { corrupt: 1 } });
});

test("a stream that is aborted has ended at once, although nobody reads on, and leaves its signal alone then", async () => {
  const clock = new VirtualClock();
  const storage = stack(memoryStorage({ clock }), metrics({ clock }));
  await storage.put("a", bytes(10));
  const controller = new AbortController();
  const { signal } = controller;
  await new Response((await storage.read("a", { signal }))!.value).bytes();
  await (await storage.read("a", { signal }))!.value.cancel();
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const { value } = (await storage.read("a", { signal }))!;
  controller.abort(new Error("enough"));
  expect(only(storage).operations.read).toMatchObject({ calls: 3, aborted: 2, errors: {} });
  expect(getEventListeners(signal, "abort")).toEqual([]);
  await expect(value.getReader().read()).rejects.toThrow("enough");
  expect(only(storage).operations.read).toMatchObject({ calls: 3, aborted: 2 });
});

test("a stream goes on to its end although its signal was aborted, where the storage below lets it", async () => {
  const chunk = Promise.withResolvers<Bytes>();
  class Heedless extends ForwardingStorage<Bytes> {
    readonly name = "heedless";
    override read(key: string): Promise<never> {
      const pull = async (controller: ReadableStreamDefaultController<Bytes>): Promise<void> => {
        controller.enqueue(await chunk.promise);
        controller.close();
      };
      return Promise.resolve({ key, value: new ReadableStream<Bytes>({ pull }, { highWaterMark: 0 }) } as never);
    }
  }
  const storage = metrics()(new Heedless(memoryStorage()));
  const controller = new AbortController();
  const entry = await storage.read("a", { signal: controller.signal });
  const read = new Response(entry!.value).bytes();
  controller.abort(new Error("enough"));
  chunk.resolve(bytes(5));
  expect(await read).toHaveLength(5);
  expect(only(storage).operations.read).toMatchObject({ calls: 1, aborted: 1, bytesOut: 5 });
});

class Breaking extends ForwardingStorage<Bytes> {
  readonly name = "breaking";
  override read(key: string): Promise<never> {
    const value = new ReadableStream({ pull: () => Promise.reject(new StorageError("corrupt", "Broken.")) });
    return Promise.resolve({ key, value } as never);
  }
}

test("a write has the time in which its source waits for the storage, and its bytes count as they pass", async () => {
  const clock = new VirtualClock();
  const storage = stack(memoryStorage({ clock }), metrics({ clock }));
  await storage.write("a", inSteps(clock, [10, 20, 30], 1_000));
  await storage.write("b", () => inSteps(clock, [5], 1_000));
  await storage.write("c", new Blob([bytes(7)]));
  expect(only(storage).operations.write).toMatchObject({ calls: 3, time: 0, bytesIn: 72 });
  await expect(storage.write("d", 5 as never)).rejects.toMatchObject({ code: "invalid-value" });
  expect(only(storage).operations.write).toMatchObject({ calls: 4, errors: { "invalid-value": 1 } });
});

test("layers between streams have their own time", async () => {
  const clock = new VirtualClock();
  const each = metrics({ clock });
  class Working extends ForwardingStorage<Bytes> {
    readonly name = "working";
    override async write(key: string, source: AsyncIterable<Bytes>): Promise<never> {
      const work = async function* (): AsyncGenerator<Bytes> {
        for await (const chunk of source) {
          await clock.advance(7);
          yield chunk;
        }
      };
      return (await this.belowBytes.write(key, work())) as never;
    }
  }
  const storage = each(new Working(each(memoryStorage({ clock }))));
  await storage.write("a", inSteps(clock, [1, 1, 1], 100));
  expect(metricsOf(storage).map(({ ownTime }) => ownTime)).toEqual([0, 21]);
});

test("off, there is no layer", async () => {
  const bottom = memoryStorage();
  expect(metrics({ enabled: false })(bottom)).toBe(bottom);
  expect(metricsOf(bottom)).toEqual([]);
});

test("is found in a stack, and says what it was told and has counted", async () => {
  const storage = stack(memoryStorage(), metrics({ name: "users" }));
  await storage.put("a", bytes(3));
  const layer = findLayer(storage, MetricsStorage);
  expect(layer?.details()).toEqual({ options: { name: "users", spans: false }, stats: { calls: 1, errors: 0, bytesIn: 3, bytesOut: 0 } });
  expect(explain(storage)).toContain('name: "users"');
});

test("a storage that several stacks share is measured once for all, and the time of each is an estimate", async () => {
  const clock = new VirtualClock();
  const shared = stack(memoryStorage({ clock }), metrics({ clock, name: "shared" }));
  const [one, two] = ["one", "two"].map((name) => stack(shared, borrowed(), metrics({ clock, name })));
  await one!.get("a");
  await two!.get("a");
  expect(metricsOf(one!)).toMatchObject([
    { storage: "shared", calls: 2, approximate: true },
    { storage: "one", parts: ["borrowed"], calls: 1, approximate: true },
  ]);
  await one!.close();
  await two!.close();
  await shared.get("a");
  expect(metricsOf(shared)).toMatchObject([{ calls: 3 }]);
});

test("a cache below is seen with all its calls", async () => {
  const storage = stack(memoryStorage(), metrics(), json<number>(), cached(), metrics());
  await storage.put("a", 1);
  for (let call = 0; call < 10; call++) await storage.get("a");
  expect(metricsOf(storage).map(({ layer, calls }) => [layer, calls])).toEqual([
    ["memory", 1],
    ["cached", 11],
  ]);
  expect(findLayer(storage, CachedStorage)?.stats().hits).toBe(10);
});

test("options that make no sense are refused when it is made", () => {
  expect(() => metrics({ name: "" })).toThrow(expect.objectContaining({ code: "invalid-option" }) as Error);
  expect(() => metrics({ name: "a key/of somebody" })).toThrow("name must be a name of letters");
  expect(() => metrics({ spans: 1 as never })).toThrow("spans must be true or false");
  expect(() => metrics({ span: true } as never)).toThrow('did you mean "spans"?');
});
