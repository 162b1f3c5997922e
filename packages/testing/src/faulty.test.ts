import type { AnyStorage, ByteStorage, Bytes, CallOptions, OperationName } from "@stowage/core";
import { findLayer, isByteStorage, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { describe, expect, test } from "vitest";
import type { FaultyOptions } from "./faulty.ts";
import { faulty, FaultyStorage } from "./faulty.ts";
import type { FaultKind } from "./faults/fault.ts";
import { VirtualClock } from "./virtual-clock.ts";

const bytes = (text: string): Bytes => new TextEncoder().encode(text);

/** One call of each operation, on a storage where `key` and `other` hold something. */
const calls: Readonly<Record<OperationName, (storage: ByteStorage, options?: CallOptions) => Promise<unknown>>> = {
  get: (storage, options) => storage.get("key", options),
  getEntry: (storage, options) => storage.getEntry("key", options),
  getEntries: (storage, options) => storage.getEntries(["key", "other"], options),
  head: (storage, options) => storage.head("key", options),
  has: (storage, options) => storage.has("key", options),
  list: (storage, options) => storage.list(options),
  put: (storage, options) => storage.put("key", bytes("new"), options),
  delete: (storage, options) => storage.delete("key", options),
  batch: (storage, options) => storage.batch([{ type: "put", key: "key", value: bytes("new") }], options),
  clear: (storage, options) => storage.clear(options),
  flush: (storage, options) => storage.flush(options),
  read: (storage, options) => storage.read("key", options).then((entry) => entry && textOf(entry.value)),
  write: (storage, options) => storage.write("key", () => new Response("new").body as ReadableStream<Bytes>, options),
};
const operations = Object.keys(calls) as OperationName[];
const changing: readonly OperationName[] = ["put", "delete", "batch", "clear", "write"];

describe("faulty", () => {
  test("gives the same faults for the same seed and calls", async () => {
    const first = await faultsOf({ seed: 7, rate: 0.3 });
    expect(first.length).toBeGreaterThan(20);
    expect(await faultsOf({ seed: 7, rate: 0.3 })).toEqual(first);
    expect(await faultsOf({ seed: 8, rate: 0.3 })).not.toEqual(first);
  });

  test("gives a key the same faults whatever happens to other keys in between", async () => {
    const faultsOfKey = async (others: number): Promise<readonly string[]> => {
      const { storage, layer } = await prepared({ seed: 9, rate: 0.5 });
      for (let round = 0; round < 20; round++) {
        await storage.put("key", bytes("new")).catch(() => {});
        for (let other = 0; other < others; other++) await storage.put(`other-${other}`, bytes("new")).catch(() => {});
      }
      return layer.injected.filter(({ key }) => key === "key").map(({ kind }) => kind);
    };
    const alone = await faultsOfKey(0);
    expect(alone.length).toBeGreaterThan(3);
    expect(await faultsOfKey(5)).toEqual(alone);
  });

  test("lets about its rate of calls go wrong", async () => {
    const { length } = await faultsOf({ seed: 1, rate: 0.25, kinds: ["fails"] }, 100);
    expect(length / 1300).toBeGreaterThan(0.2);
    expect(length / 1300).toBeLessThan(0.3);
    expect(await faultsOf({ rate: 0 })).toEqual([]);
  });

  test("reaches every operation with every kind that can happen to it", async () => {
    const kinds: readonly FaultKind[] = ["fails", "loses", "throws", "hangs", "delays", "breaks", "stalls", "shortens", "repeats"];
    const clock = new VirtualClock();
    const seen = new Set<string>();
    const { storage, layer } = await prepared({ seed: 3, rate: 1, kinds, clock });
    for (let round = 0; round < 60; round++) {
      for (const operation of operations) {
        const stop = new AbortController();
        const call = (async () => calls[operation](storage, { signal: stop.signal }))().catch(() => {});
        await clock.advance(100);
        stop.abort();
        await call;
      }
    }
    for (const { operation, kind } of layer.injected) seen.add(`${operation} ${kind}`);
    const everywhere = ["fails", "loses", "throws", "hangs", "delays"];
    const expected = operations.flatMap((operation) => everywhere.map((kind) => `${operation} ${kind}`));
    for (const operation of operations) if (operation !== "read") expected.push(`${operation} repeats`);
    expected.push("read breaks", "read stalls", "write breaks", "write stalls", "list shortens");
    expect(Array.from(seen).sort()).toEqual(expected.sort());
  });

  test("names its seed and the call in the errors that it makes, and never the key", async () => {
    const { storage } = await prepared({ seed: 42, rate: 1, kinds: ["fails"] });
    const error = await failure(() => storage.put("secret", bytes("value")));
    expect(error).toMatchObject({
      code: "unavailable",
      operation: "put",
      key: "secret",
      storage: "faulty",
      retryable: true,
      outcome: "none",
    });
    expect((error as Error).message).toBe("Injected by seed 42 at call 1: put fails.");
  });

  test("counts what it did", async () => {
    const { storage, layer } = await prepared({ seed: 5, rate: 1, kinds: ["loses"] });
    for (let round = 0; round < 3; round++) await storage.get("key").catch(() => {});
    expect(layer.details()).toEqual({ options: { seed: 5, rate: 1, kinds: ["loses"] }, stats: { calls: 3, faults: 3, loses: 3 } });
    expect(layer.injected[2]).toEqual({ call: 3, operation: "get", key: "key", kind: "loses" });
  });

  test("keeps to the operations, keys and errors that it was given", async () => {
    const { storage, layer } = await prepared({ seed: 1, rate: 1, kinds: ["fails"], operations: ["get"], where: "key" });
    await storage.put("key", bytes("new"));
    await storage.get("other");
    await expect(storage.get("key")).rejects.toThrow("Injected by seed 1 at call 3");
    expect(layer.injected).toHaveLength(1);
  });

  test("rejects with any error, also with what is none of ours and with what is no error", async () => {
    const foreign = new TypeError("socket hang up");
    const { storage } = await prepared({ seed: 1, rate: 1, kinds: ["fails"], errors: ["denied", foreign, () => "a string"] });
    const seen = new Set<unknown>();
    for (let round = 0; round < 30; round++) {
      const error = await failure(() => storage.get("key"));
      seen.add(StorageError.is(error) ? error.code : error);
    }
    expect(seen).toEqual(new Set(["denied", foreign, "a string"]));
  });

  test("makes calls late by random times, up to the longest", async () => {
    const clock = new VirtualClock(0);
    const { storage } = await prepared({ seed: 4, rate: 1, kinds: ["delays"], delay: 50, clock });
    const times = new Set<number>();
    for (let round = 0; round < 100; round++) {
      const start = clock.now();
      const call = storage.get("key").then(() => times.add(clock.now() - start));
      await clock.runUntilIdle();
      await call;
    }
    expect(Math.max(...times)).toBeLessThanOrEqual(50);
    expect(times.size).toBeGreaterThan(20);
  });

  test("rests while it is paused", async () => {
    const { storage, layer } = await prepared({ rate: 1, kinds: ["fails"] });
    layer.pause();
    await storage.put("key", bytes("new"));
    layer.resume();
    await expect(storage.get("key")).rejects.toBeInstanceOf(StorageError);
    expect(layer.details().stats["calls"]).toBe(1);
  });

  test("lets scripted faults happen to certain calls, and no others then", async () => {
    const { storage } = await prepared({ script: (on) => on("put", "key").loses("timeout", { times: 1 }) });
    await expect(storage.put("key", bytes("new"))).rejects.toMatchObject({ code: "timeout", outcome: "unknown" });
    for (let round = 0; round < 50; round++) await storage.get("key");
    expect(await storage.get("key")).toEqual(bytes("new"));
  });

  test("leaves values alone that are not bytes", async () => {
    const storage = stack(memoryStorage<number>({ values: "any" }), faulty({ rate: 0 }));
    await storage.put("one", 1);
    expect(await storage.get("one")).toBe(1);
    expect(isByteStorage(storage)).toBe(false);
  });

  test("hands on the very promise of a call that goes well", () => {
    const promise = Promise.resolve(bytes("value"));
    const inner = memoryStorage();
    inner.get = () => promise;
    expect(stack(inner, faulty({ rate: 0 })).get("key")).toBe(promise);
  });

  test.each([{ seed: 1.5 }, { rate: 2 }, { rate: NaN }, { kinds: [] }, { errors: [] }, { delay: -1 }])("refuses %o", (options) => {
    expect(() => faulty(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

describe.each(operations)("faults of %s", (operation) => {
  const changes = changing.includes(operation);

  test("before the effect leave everything as it was", async () => {
    for (const kind of ["fails", "throws", "hangs"] as const) {
      const { storage, memory } = await prepared({ rate: 1, kinds: [kind], seed: 11 });
      if (kind === "hangs") findLayer(storage, FaultyStorage)!.on("any").hangs();
      const before = await contents(memory);
      const stop = new AbortController();
      const call = (async () => calls[operation](storage, { signal: stop.signal }))();
      const failed = failure(() => call);
      stop.abort(new Error("enough"));
      expect(await failed).toBeInstanceOf(Error);
      expect(await contents(memory)).toEqual(before);
    }
  });

  test("after the effect keep it, and say that the outcome is unknown", async () => {
    const { storage, memory } = await prepared({ rate: 1, kinds: ["loses"] });
    const before = await contents(memory);
    expect(await failure(() => calls[operation](storage))).toMatchObject({ outcome: "unknown" });
    if (changes) expect(await contents(memory)).not.toEqual(before);
    else expect(await contents(memory)).toEqual(before);
  });

  test("throw at once where it should reject", async () => {
    const { storage } = await prepared({ rate: 1, kinds: ["throws"] });
    expect(() => void calls[operation](storage).catch(() => {})).toThrow(StorageError);
  });

  test("answer late by the clock", async () => {
    const clock = new VirtualClock();
    for (const effect of [false, true]) {
      const { storage, memory } = await prepared({ script: (on) => on("any").delays(20, { effect }), clock });
      const before = await contents(memory);
      const state = { answered: false };
      const call = calls[operation](storage).then(() => (state.answered = true));
      await clock.advance(19);
      expect(state.answered).toBe(false);
      if (changes && effect) expect(await contents(memory)).not.toEqual(before);
      else expect(await contents(memory)).toEqual(before);
      await clock.advance(1);
      await call;
    }
    expect(clock.pending).toBe(0);
  });

  test("delivered twice have the effect of one delivery", async () => {
    const once = await prepared({ rate: 0 });
    await calls[operation](once.storage);
    const twice = await prepared({ rate: 1, kinds: ["repeats"] });
    await calls[operation](twice.storage);
    expect(await contents(twice.memory)).toEqual(await contents(once.memory));
  });

  test("do not come before the reason of a signal that was aborted before", async () => {
    const { storage } = await prepared({ rate: 1 });
    const reason = new Error("given up");
    expect(await failure(() => calls[operation](storage, { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});

describe("faults in the middle of a stream", () => {
  test.each(["breaks", "stalls"] as const)("of a read that %s give a true beginning of the value and then no end", async (kind) => {
    const value = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    const sizes = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const { storage } = await prepared({ seed, rate: 1, kinds: [kind], operations: ["read"] });
      await storage.put("key", value);
      const stop = new AbortController();
      const entry = await storage.read("key", { signal: stop.signal });
      const read = drain(entry!.value);
      await new VirtualClock().advance(0);
      await new VirtualClock().advance(0);
      stop.abort(new Error("enough"));
      const { received, error } = await read;
      expect(error).toBeInstanceOf(Error);
      expect(received).toEqual(value.subarray(0, received.byteLength));
      sizes.add(received.byteLength);
    }
    expect(sizes.size).toBeGreaterThan(10);
  });

  test.each(["breaks", "stalls"] as const)("of a write that %s store nothing and cancel the source", async (kind) => {
    const { storage, memory } = await prepared({ seed: 2, rate: 1, kinds: [kind] });
    let cancelled = false;
    const source = new ReadableStream<Bytes>({
      pull: (controller) => controller.enqueue(new Uint8Array(1000)),
      cancel: () => void (cancelled = true),
    });
    const stop = new AbortController();
    const writing = failure(() => storage.write("key", source, { signal: stop.signal }));
    await new VirtualClock().advance(0);
    stop.abort(new Error("enough"));
    expect(await writing).toBeInstanceOf(Error);
    expect(cancelled).toBe(true);
    expect(await memory.get("key")).toEqual(bytes("old"));
  });

  test("of a list give short pages that lose no key", async () => {
    const { storage } = await prepared({ rate: 1, kinds: ["shortens"] });
    for (let index = 0; index < 20; index++) await storage.put(`many/${index}`, bytes("x"));
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.list({ prefix: "many/", cursor, limit: 100 });
      expect(page.entries.length).toBeLessThanOrEqual(3);
      keys.push(...page.entries.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(new Set(keys).size).toBe(20);
    expect(keys).toHaveLength(20);
  });
});

interface Prepared {
  readonly storage: ByteStorage;
  readonly memory: ByteStorage;
  readonly layer: FaultyStorage;
}

async function prepared(options: FaultyOptions): Promise<Prepared> {
  const memory = memoryStorage();
  await memory.put("key", bytes("old"));
  await memory.put("other", bytes("other"));
  const storage = stack(memory, faulty(options));
  return { storage, memory, layer: findLayer(storage, FaultyStorage)! };
}

async function faultsOf(options: FaultyOptions, rounds = 10): Promise<readonly string[]> {
  const { storage, layer } = await prepared(options);
  for (let round = 0; round < rounds; round++) {
    for (const operation of operations) await calls[operation](storage).catch(() => {});
  }
  return layer.injected.map(({ call, operation, kind }) => `${call} ${operation} ${kind}`);
}

async function contents(storage: AnyStorage): Promise<Record<string, string>> {
  const { entries } = await storage.list();
  const found = await storage.getEntries(entries.map(({ key }) => key));
  return Object.fromEntries(found.map((entry) => [entry!.key, new TextDecoder().decode(entry!.value as Bytes)]));
}

async function failure(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail.");
}

async function drain(stream: ReadableStream<Bytes>): Promise<{ received: Uint8Array; error: unknown }> {
  const chunks: Bytes[] = [];
  let error: unknown;
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (cause) {
    error = cause;
  }
  return { received: new Uint8Array(await new Blob(chunks).arrayBuffer()), error };
}

async function textOf(stream: ReadableStream<Bytes>): Promise<string> {
  return await new Response(stream).text();
}
