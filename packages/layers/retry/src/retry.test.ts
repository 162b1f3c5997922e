import type { Bytes, ByteSource, ByteStorage, Call, Next, ReadOptions, StreamEntry } from "@stowage/core";
import { AroundStorage, findLayer, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { RetryOptions } from "./index.ts";
import { retry, RetryStorage } from "./index.ts";

type Step = <T>(call: Call, next: Next<T>, signal: AbortSignal | undefined) => Promise<T>;

/** A storage that does what it is told, call by call, and then what the memory below does. */
class ScriptedStorage extends AroundStorage<Bytes> {
  readonly name = "scripted";
  readonly calls: Call[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  readonly reads: ReadOptions[] = [];
  steps: Step[] = [];
  streams: ((entry: StreamEntry) => StreamEntry)[] = [];

  protected override around<T>(call: Call, next: Next<T>): Promise<T> {
    this.calls.push(call);
    this.signals.push(call.options?.signal);
    if (call.operation === "read") this.reads.push(call.options ?? {});
    const step = this.steps.shift();
    return step === undefined ? next() : step(call, next, call.options?.signal);
  }

  protected override aroundStream(_call: Call, entry: StreamEntry): StreamEntry {
    return this.streams.shift()?.(entry) ?? entry;
  }
}

const fails =
  (error: unknown): Step =>
  () =>
    Promise.reject(error);
/** The effect happens, the answer does not arrive. */
const loses: Step = async (_call, next) => {
  await next();
  throw unavailable({ outcome: "unknown" });
};
/** Never settles, whatever its signal says. */
const hangs: Step = () => new Promise(() => {});
const unavailable = (options: object = {}): StorageError => new StorageError("unavailable", "down", options);
const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const text = async (stream: ReadableStream<Bytes>): Promise<string> => await new Response(stream).text();

function setUp(options: RetryOptions = {}): {
  clock: VirtualClock;
  scripted: ScriptedStorage;
  storage: ByteStorage;
  layer: RetryStorage<Bytes>;
} {
  const clock = new VirtualClock();
  const scripted = new ScriptedStorage(memoryStorage({ clock }), clock);
  const storage = stack(scripted as ByteStorage, retry({ clock, random: () => 1, ...options }));
  return { clock, scripted, storage, layer: findLayer(storage, RetryStorage) as RetryStorage<Bytes> };
}

test("a call that succeeds is sent once", async () => {
  const { scripted, storage } = setUp();
  await storage.put("key", bytes("value"));
  expect(await storage.get("key")).toEqual(bytes("value"));
  expect(scripted.calls.map(({ operation }) => operation)).toEqual(["put", "get"]);
});

test("a passing failure is repeated until it has passed", async () => {
  const { clock, scripted, storage, layer } = setUp();
  scripted.steps = [fails(unavailable()), fails(unavailable()), fails(unavailable())];
  const put = storage.put("key", bytes("value"));
  await clock.advance(5_000);
  await put;
  expect(scripted.calls).toHaveLength(4);
  expect(layer.details().stats["retries"]).toBe(3);
});

test("after the last attempt the last error is thrown as it is", async () => {
  const { clock, scripted, storage } = setUp({ attempts: 3 });
  const errors = [unavailable(), unavailable(), unavailable()];
  scripted.steps = errors.map((error) => fails(error));
  const get = storage.get("key").catch((error: unknown) => error);
  await clock.advance(5_000);
  expect(await get).toBe(errors[2]);
  expect(scripted.calls).toHaveLength(3);
});

test.each([
  ["a StorageError that is not retryable", new StorageError("denied", "no")],
  ["an error of somebody else", new TypeError("fetch failed")],
  ["something that is not an error", "oops"],
])("%s is not repeated and arrives as it is", async (_name, error) => {
  const { scripted, storage } = setUp();
  scripted.steps = [fails(error)];
  expect(await storage.get("key").catch((caught: unknown) => caught)).toBe(error);
  expect(scripted.calls).toHaveLength(1);
});

test("a failure of a later attempt that is not passing arrives as it is", async () => {
  const { clock, scripted, storage } = setUp();
  const denied = new StorageError("denied", "no");
  scripted.steps = [fails(unavailable()), fails(denied)];
  const get = storage.get("key").catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await get).toBe(denied);
});

test("the waits double from minDelay up to maxDelay, each a random part of that", async () => {
  const { clock, scripted, storage } = setUp({ attempts: 6, minDelay: 100, maxDelay: 500, random: () => 0.5 });
  const times: number[] = [];
  const start = clock.now();
  const failing: Step = () => {
    times.push(clock.now() - start);
    return Promise.reject(unavailable());
  };
  scripted.steps = Array.from({ length: 6 }, () => failing);
  const get = storage.get("key").catch(() => {});
  await clock.runUntilIdle();
  await get;
  expect(times).toEqual([0, 50, 150, 350, 600, 850]);
});

test("a store that says when to come back is not asked earlier", async () => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [fails(new StorageError("throttled", "slow down", { retryAfter: 7_000 }))];
  const get = storage.get("key");
  await clock.advance(6_999);
  expect(scripted.calls).toHaveLength(1);
  await clock.advance(2);
  await get;
  expect(scripted.calls).toHaveLength(2);
});

test("a store that asks for more time than is left is not waited for", async () => {
  const { clock, scripted, storage } = setUp({ totalTimeout: 30_000 });
  const throttled = new StorageError("throttled", "slow down", { retryAfter: 60_000 });
  scripted.steps = [fails(throttled)];
  const get = storage.get("key").catch((error: unknown) => error);
  await clock.advance(0);
  expect(await get).toBe(throttled);
});

test("an attempt that hangs, and ignores its signal, is given up and repeated", async () => {
  const { clock, scripted, storage, layer } = setUp({ attemptTimeout: 1_000 });
  scripted.steps = [hangs];
  const get = storage.get("key");
  await clock.advance(1_200);
  expect(await get).toBeUndefined();
  expect(scripted.signals[0]?.aborted).toBe(true);
  expect(layer.details().stats).toMatchObject({ timeouts: 1, retries: 1 });
});

test("when every attempt hangs the call ends with timeout", async () => {
  const { clock, scripted, storage } = setUp({ attempts: 2, attemptTimeout: 1_000 });
  scripted.steps = [hangs, hangs];
  const put = storage.put("key", bytes("value")).catch((error: unknown) => error);
  await clock.advance(3_000);
  expect(await put).toMatchObject({ code: "timeout", outcome: "unknown", operation: "put", key: "key", retryable: true });
  scripted.steps = [hangs, hangs];
  const get = storage.get("key").catch((error: unknown) => error);
  await clock.advance(3_000);
  expect(await get).toMatchObject({ code: "timeout", outcome: "none", operation: "get" });
});

test("a call with all its attempts ends by the total time", async () => {
  const { clock, scripted, storage } = setUp({ attempts: 10, attemptTimeout: 10_000, totalTimeout: 25_000 });
  scripted.steps = Array.from({ length: 10 }, () => hangs);
  const started = clock.now();
  let ended = 0;
  const get = storage.get("key").catch(() => {
    ended = clock.now();
  });
  await clock.advance(60_000);
  await get;
  expect(ended - started).toBeGreaterThan(20_000);
  expect(ended - started).toBeLessThanOrEqual(25_000);
});

test("the answer of an attempt that was given up changes nothing and is counted", async () => {
  const { clock, scripted, storage, layer } = setUp({ attemptTimeout: 1_000 });
  let answer: (value: unknown) => void = () => {};
  scripted.steps = [() => new Promise((resolve) => (answer = resolve as never))];
  const get = storage.get("key");
  await clock.advance(1_200);
  expect(await get).toBeUndefined();
  answer(bytes("late"));
  await clock.advance(0);
  expect(layer.details().stats["late"]).toBe(1);
});

test("a stream that arrives after its attempt was given up is cancelled", async () => {
  const { clock, scripted, storage } = setUp({ attemptTimeout: 1_000 });
  await storage.put("key", bytes("value"));
  let answer: (value: unknown) => void = () => {};
  let cancelled = false;
  scripted.steps = [() => new Promise((resolve) => (answer = resolve as never))];
  const read = storage.read("key");
  await clock.advance(1_200);
  answer({ key: "key", value: new ReadableStream({ cancel: () => void (cancelled = true) }) });
  await clock.advance(0);
  expect(cancelled).toBe(true);
  expect(await text((await read)!.value)).toBe("value");
});

test.each(["while an attempt hangs", "while it waits for the next"])("an abort %s ends the call at once with its reason", async (when) => {
  const { clock, scripted, storage } = setUp();
  const controller = new AbortController();
  const reason = new Error("enough");
  scripted.steps = when === "while an attempt hangs" ? [hangs] : [fails(unavailable())];
  const get = storage.get("key", { signal: controller.signal }).catch((error: unknown) => error);
  await clock.advance(10);
  controller.abort(reason);
  expect(await get).toBe(reason);
  await clock.advance(60_000);
  expect(scripted.calls).toHaveLength(1);
});

test("an abort that looks like a passing failure is final all the same", async () => {
  const { clock, scripted, storage } = setUp();
  const controller = new AbortController();
  const reason = unavailable();
  scripted.steps = [hangs];
  const get = storage.get("key", { signal: controller.signal }).catch((error: unknown) => error);
  controller.abort(reason);
  expect(await get).toBe(reason);
  await clock.advance(60_000);
  expect(scripted.calls).toHaveLength(1);
});

test("a signal that was aborted before the call sends nothing", async () => {
  const { scripted, storage } = setUp();
  const reason = new Error("no");
  await expect(storage.get("key", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(scripted.calls).toHaveLength(0);
});

test("no listener stays on the caller's signal", async () => {
  const { clock, scripted, storage } = setUp();
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...rest: Parameters<typeof addEventListener>) => (listeners++, addEventListener.apply(signal, rest));
  signal.removeEventListener = (...rest: Parameters<typeof removeEventListener>) => (listeners--, removeEventListener.apply(signal, rest));
  scripted.steps = [fails(unavailable()), fails(unavailable())];
  const get = storage.get("key", { signal });
  await clock.runUntilIdle();
  await get;
  expect(listeners).toBe(0);
});

test("a conditional call whose outcome is unknown is not sent again", async () => {
  const { clock, scripted, storage } = setUp({ attemptTimeout: 1_000 });
  scripted.steps = [loses];
  const put = storage.put("key", bytes("value"), { ifNoneMatch: "*" }).catch((error: unknown) => error);
  await clock.advance(10_000);
  expect(await put).toMatchObject({ code: "unavailable", outcome: "unknown" });
  expect(scripted.calls).toHaveLength(1);

  scripted.steps = [hangs];
  const hung = storage.put("other", bytes("value"), { ifNoneMatch: "*" }).catch((error: unknown) => error);
  await clock.advance(10_000);
  expect(await hung).toMatchObject({ code: "timeout", outcome: "unknown" });
  expect(scripted.calls).toHaveLength(2);
});

test("a conditional call that had no effect is sent again", async () => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [fails(new StorageError("conflict", "race"))];
  const put = storage.put("key", bytes("value"), { ifNoneMatch: "*" });
  await clock.advance(1_000);
  expect(await put).toMatchObject({ key: "key" });
  expect(scripted.calls).toHaveLength(2);
});

test("an atomic batch with a condition is not sent again when its outcome is unknown, one without is", async () => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [loses];
  const create = { type: "put", key: "a", value: bytes("1"), options: { ifNoneMatch: "*" } } as const;
  const conditional = storage.batch([create], { atomic: true }).catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await conditional).toMatchObject({ outcome: "unknown" });
  expect(scripted.calls).toHaveLength(1);
  scripted.steps = [loses];
  const plain = storage.batch([{ type: "put", key: "a", value: bytes("2") }]);
  await clock.advance(1_000);
  await plain;
  expect(scripted.calls).toHaveLength(3);
});

test("when an earlier attempt may have taken effect, the error of a later one says so", async () => {
  const { clock, scripted, storage } = setUp();
  const denied = new StorageError("denied", "no", { operation: "put", storage: "scripted" });
  scripted.steps = [loses, fails(denied)];
  const put = storage.put("key", bytes("value")).catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await put).toMatchObject({ code: "denied", outcome: "unknown", storage: "scripted", cause: denied });
});

test("a batch that was done in part has had an effect: with a condition it is not sent again, else a later error says so", async () => {
  const { clock, scripted, storage } = setUp();
  const inPart = new StorageError("partial", "1 of 2 failed.", {
    retryable: true,
    failures: [{ index: 1, key: "b", error: unavailable() }],
  });
  expect(inPart.outcome).toBe("none");
  const create = { type: "put", key: "a", value: bytes("1"), options: { ifNoneMatch: "*" } } as const;
  scripted.steps = [fails(inPart)];
  await expect(storage.batch([create, { type: "delete", key: "b" }])).rejects.toBe(inPart);
  expect(scripted.calls).toHaveLength(1);
  const denied = new StorageError("denied", "no");
  scripted.steps = [fails(inPart), fails(denied)];
  const plain = storage
    .batch([
      { type: "delete", key: "a" },
      { type: "delete", key: "b" },
    ])
    .catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await plain).toMatchObject({ code: "denied", outcome: "unknown", cause: denied });
});

test("a ttl does not begin again with each attempt", async () => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [fails(unavailable()), fails(unavailable())];
  const expiresAt = clock.now() + 60_000;
  const put = storage.put("key", bytes("value"), { ttl: 60_000 });
  await clock.advance(1_000);
  await put;
  expect((await storage.head("key"))?.expiresAt).toBe(expiresAt);
});

test("repeats stop when the budget of ten seconds is spent, and go on in the next", async () => {
  const { clock, scripted, storage, layer } = setUp({ attempts: 2, minDelay: 0, maxDelay: 0 });
  const down: Step = fails(unavailable());
  scripted.steps = Array.from({ length: 30 }, () => down);
  for (let call = 0; call < 20; call++) await storage.get("key").catch(() => {});
  expect(layer.details().stats).toMatchObject({ retries: 10, budgetRefusals: 10 });
  expect(scripted.calls).toHaveLength(30);
  await clock.advance(10_000);
  scripted.steps = [down];
  await storage.get("key");
  expect(layer.details().stats).toMatchObject({ retries: 11 });
});

test("the budget grows with the calls", async () => {
  const { scripted, storage, layer } = setUp({ attempts: 2, minDelay: 0, maxDelay: 0, budget: 0.1 });
  const down: Step = fails(unavailable());
  scripted.steps = [down];
  await storage.get("key");
  for (let call = 0; call < 200; call++) await storage.get("key");
  scripted.steps = Array.from({ length: 100 }, () => down);
  for (let call = 0; call < 50; call++) await storage.get("key").catch(() => {});
  expect(layer.details().stats["retries"]).toBeGreaterThanOrEqual(20);
  expect(layer.details().stats["retries"]).toBeLessThanOrEqual(26);
});

const sources: [string, () => ByteSource][] = [
  ["a function", () => () => new Blob(["streamed"]).stream() as ReadableStream<Bytes>],
  ["a Blob", () => new Blob(["streamed"])],
];

test.each(sources)("a write from %s is repeated", async (_name, source) => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [
    async (_call, next) => {
      await next();
      throw unavailable();
    },
  ];
  const write = storage.write("key", source());
  await clock.advance(1_000);
  await write;
  expect(scripted.calls).toHaveLength(2);
  expect(await storage.get("key")).toEqual(bytes("streamed"));
});

test("a write from a stream is sent once, and its source is cancelled", async () => {
  const { clock, scripted, storage } = setUp();
  let cancelled = false;
  const source = new ReadableStream<Bytes>({
    pull: (controller) => controller.enqueue(bytes("chunk")),
    cancel: () => void (cancelled = true),
  });
  const down = unavailable();
  scripted.steps = [fails(down)];
  await expect(storage.write("key", source)).rejects.toBe(down);
  await clock.advance(60_000);
  expect(scripted.calls).toHaveLength(1);
  expect(cancelled).toBe(true);
});

test("a write that hangs before it reads its source still cancels it", async () => {
  const { clock, scripted, storage } = setUp({ attemptTimeout: 1_000 });
  let cancelled = false;
  const source = new ReadableStream<Bytes>({ cancel: () => void (cancelled = true) });
  scripted.steps = [hangs];
  const write = storage.write("key", source).catch((error: unknown) => error);
  await clock.advance(1_200);
  expect(await write).toMatchObject({ code: "timeout", outcome: "unknown" });
  expect(cancelled).toBe(true);
});

test("a long write is not ended while it moves, and is when it stands still", async () => {
  const { clock, storage } = setUp({ attemptTimeout: 1_000, totalTimeout: 2_000 });
  let chunks = 0;
  const slow = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        await clock.sleep(800);
        if (chunks++ < 20) controller.enqueue(bytes("x"));
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const write = storage.write("key", slow);
  await clock.advance(20_000);
  expect(await write).toMatchObject({ size: 20 });

  const stuck = storage.write("key", new ReadableStream<Bytes>({ pull: () => new Promise(() => {}) })).catch((error: unknown) => error);
  await clock.advance(1_200);
  expect(await stuck).toMatchObject({ code: "timeout", operation: "write" });
});

/** An entry whose stream gives `good` bytes and then does what `then` says. */
function breaking(good: number, then: "fails" | "hangs", error: unknown = unavailable()): (entry: StreamEntry) => StreamEntry {
  return (entry) => {
    const reader = entry.value.getReader();
    let given = 0;
    const value = new ReadableStream<Bytes>(
      {
        async pull(controller) {
          if (given === good) return then === "hangs" ? await new Promise(() => {}) : controller.error(error);
          const step = await reader.read();
          if (step.done) return controller.close();
          const chunk = step.value.slice(0, good - given);
          given += chunk.byteLength;
          controller.enqueue(chunk);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    return { ...entry, value };
  };
}

test.each(["fails", "hangs"] as const)("a stream that %s half-way goes on at its offset, of the same version", async (then) => {
  const { clock, scripted, storage, layer } = setUp({ attemptTimeout: 1_000 });
  const { etag } = await storage.put("key", bytes("0123456789"));
  scripted.streams = [breaking(3, then), breaking(4, then)];
  const entry = await storage.read("key", { start: -9, end: -1 });
  const whole = text(entry!.value);
  await clock.advance(10_000);
  expect(await whole).toBe("12345678");
  expect(scripted.reads.slice(1)).toEqual([
    { start: 4, end: 9, ifMatch: etag },
    { start: 8, end: 9, ifMatch: etag },
  ]);
  expect(layer.details().stats["resumed"]).toBe(2);
});

test("a stream whose entry was replaced meanwhile ends with conflict and no foreign byte", async () => {
  const { clock, scripted, storage } = setUp();
  await storage.put("key", bytes("0123456789"));
  scripted.streams = [breaking(3, "fails")];
  const entry = await storage.read("key");
  await storage.put("key", bytes("abcdefghij"));
  const whole = text(entry!.value).catch((error: unknown) => error);
  await clock.advance(10_000);
  expect(await whole).toMatchObject({ code: "conflict", retryable: true });
});

test("a stream that breaks for good ends with that error, after as many attempts as a call has", async () => {
  const { clock, scripted, storage } = setUp({ attempts: 3 });
  await storage.put("key", bytes("0123456789"));
  const last = unavailable();
  scripted.streams = [breaking(3, "fails"), breaking(0, "fails"), breaking(0, "fails", last), breaking(0, "fails")];
  const entry = await storage.read("key");
  const whole = text(entry!.value).catch((error: unknown) => error);
  await clock.advance(60_000);
  expect(await whole).toBe(last);
});

test("a stream that breaks with an error that is not passing is not resumed", async () => {
  const { clock, scripted, storage } = setUp();
  await storage.put("key", bytes("0123456789"));
  const corrupt = new StorageError("corrupt", "damaged");
  scripted.streams = [breaking(3, "fails", corrupt)];
  const whole = text((await storage.read("key"))!.value).catch((error: unknown) => error);
  await clock.advance(60_000);
  expect(await whole).toBe(corrupt);
  expect(scripted.reads).toHaveLength(1);
});

test("an abort ends a stream that hangs with its reason", async () => {
  const { clock, scripted, storage } = setUp();
  await storage.put("key", bytes("0123456789"));
  const controller = new AbortController();
  const reason = new Error("enough");
  scripted.streams = [breaking(3, "hangs")];
  const whole = text((await storage.read("key", { signal: controller.signal }))!.value).catch((error: unknown) => error);
  await clock.advance(10);
  controller.abort(reason);
  expect(await whole).toBe(reason);
});

test("closing ends the wait for another attempt with the last failure", async () => {
  const { clock, scripted, storage } = setUp();
  const down = unavailable();
  scripted.steps = [fails(down)];
  const get = storage.get("key").catch((error: unknown) => error);
  await clock.advance(10);
  await storage.close();
  expect(await get).toBe(down);
});

test("nothing sleeps and nothing is held when all calls have ended", async () => {
  const { clock, scripted, storage } = setUp();
  scripted.steps = [fails(unavailable()), hangs];
  const calls = [storage.get("a"), storage.get("b")];
  await clock.runUntilIdle();
  await Promise.all(calls);
  expect(clock.pending).toBe(0);
});

test.each([
  [{ attempts: 0 }],
  [{ attempts: 1.5 }],
  [{ attemptTimeout: 0 }],
  [{ totalTimeout: Number.NaN }],
  [{ totalTimeout: Infinity }],
  [{ minDelay: -1 }],
  [{ minDelay: 100, maxDelay: 10 }],
  [{ budget: 2 }],
])("the options %j are refused when the layer is made", (options) => {
  expect(() => retry(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test("a ttl begins by the clock of the storage below, waits and limits go by that of the machine, unless told otherwise", async () => {
  const clock = new VirtualClock();
  const scripted = new ScriptedStorage(memoryStorage({ clock }));
  scripted.steps = [fails(unavailable())];
  const storage = stack(scripted as ByteStorage, retry({ minDelay: 0, maxDelay: 0 }));
  await storage.put("key", new Uint8Array(1), { ttl: 1_000 });
  expect((await storage.head("key"))?.expiresAt).toBe(clock.now() + 1_000);
  await clock.advance(1_000);
  expect(await storage.has("key")).toBe(false);
});
