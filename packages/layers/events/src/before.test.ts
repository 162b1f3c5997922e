import type { Bytes, ByteStorage } from "@stowage/core";
import { findLayer, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { CallOutcome, EventsOptions, ObservedCall } from "./index.ts";
import { events, EventsStorage } from "./index.ts";

const bytes = (length: number): Bytes => new Uint8Array(length).fill(7);

function guarded(options: EventsOptions): { clock: VirtualClock; mock: ReturnType<typeof mockStorage>; storage: ByteStorage } {
  const clock = new VirtualClock();
  const mock = mockStorage({ clock });
  return { clock, mock, storage: stack(mock, events({ clock, subject: "users", ...options })) };
}

/** A source that can be read once, and tells when it is let go. */
function cancellable(): { readonly stream: ReadableStream<Bytes>; readonly reasons: unknown[] } {
  const reasons: unknown[] = [];
  return { reasons, stream: new ReadableStream<Bytes>({ cancel: (reason) => void reasons.push(reason) }) };
}

test("before and after see every call once, with its keys", async () => {
  const before: ObservedCall[] = [];
  const after: [ObservedCall, CallOutcome][] = [];
  const { storage } = guarded({ before: (call) => void before.push(call), after: (...told) => void after.push(told) });
  await storage.put("a", bytes(3));
  await storage.getEntries(["a", "b"]);
  await storage.batch([{ type: "delete", key: "a" }]);
  await storage.list({ prefix: "a" });
  await storage.flush();
  const place = { subject: "users", prefix: undefined, operations: undefined };
  expect(before).toEqual([
    { ...place, operation: "put", keys: ["a"] },
    { ...place, operation: "getEntries", keys: ["a", "b"] },
    { ...place, operation: "batch", keys: ["a"], operations: [{ type: "delete", key: "a" }] },
    { ...place, operation: "list", keys: [], prefix: "a" },
    { ...place, operation: "flush", keys: [] },
  ]);
  expect(after.map(([call]) => call)).toEqual(before);
  expect(after.map(([, outcome]) => outcome)).toEqual([
    { duration: 0, hits: 0, misses: 0, bytes: 3 },
    { duration: 0, hits: 1, misses: 1, bytes: 3 },
    { duration: 0, hits: 0, misses: 0, bytes: 0 },
    { duration: 0, hits: 0, misses: 0, bytes: 0 },
    { duration: 0, hits: 0, misses: 0, bytes: 0 },
  ]);
});

test("after hears of a streamed read that is aborted, although nobody reads on, once", async () => {
  const after: unknown[] = [];
  const { storage } = guarded({ after: ({ operation }, { error }) => void after.push([operation, error]) });
  await storage.put("a", bytes(3));
  const controller = new AbortController();
  const entry = await storage.read("a", { signal: controller.signal });
  controller.abort("enough");
  expect(after).toEqual([
    ["put", undefined],
    ["read", "enough"],
  ]);
  await entry!.value.cancel().catch(() => {});
  expect(after).toHaveLength(2);
});

const refusal = new StorageError("read-only", "Not on Sundays.");
const calls: Record<string, (storage: ByteStorage) => Promise<unknown>> = {
  get: (storage) => storage.get("key"),
  getEntry: (storage) => storage.getEntry("key"),
  getEntries: (storage) => storage.getEntries(["key"]),
  head: (storage) => storage.head("key"),
  has: (storage) => storage.has("key"),
  list: (storage) => storage.list(),
  put: (storage) => storage.put("key", bytes(1), { ttl: 5 }),
  delete: (storage) => storage.delete("key"),
  batch: (storage) => storage.batch([{ type: "delete", key: "key" }]),
  clear: (storage) => storage.clear(),
  flush: (storage) => storage.flush(),
  read: (storage) => storage.read("key"),
  write: (storage) => storage.write("key", new Blob(["x"])),
};

test.each(Object.keys(calls))("a %s that before refuses is rejected with its StorageError, and nothing is sent", async (name) => {
  for (const before of [
    () => Promise.reject(refusal),
    () => {
      throw refusal;
    },
  ]) {
    const after: unknown[] = [];
    const { mock, storage } = guarded({ before, after: (_, outcome) => void after.push(outcome.error) });
    const errors: unknown[] = [];
    findLayer(storage, EventsStorage)!.on("error", ({ error }) => errors.push(error));
    await expect(calls[name]!(storage)).rejects.toBe(refusal);
    expect(mock.calls).toEqual([]);
    expect([errors, after]).toEqual([[refusal], [refusal]]);
    expect(findLayer(storage, EventsStorage)!.details().stats["refused"]).toBe(1);
  }
});

test("anything else that before throws is the cause of a denied call, whose message does not name the key", async () => {
  const cause = new TypeError("not allowed");
  const { storage } = guarded({ before: () => Promise.reject(cause) });
  const error: unknown = await storage.delete("secret-key").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "denied", cause, operation: "delete", key: "secret-key", storage: "events", retryable: false });
  expect((error as Error).message).not.toContain("secret-key");
});

test("a refused or aborted write lets its source go, and one that was sent leaves it to the storage below", async () => {
  const refused = cancellable();
  const { storage } = guarded({ before: () => Promise.reject(refusal) });
  await expect(storage.write("key", refused.stream)).rejects.toBe(refusal);
  expect(refused.reasons).toEqual([refusal]);

  const hanging = guarded({ before: () => new Promise(() => {}) });
  const aborted = cancellable();
  const controller = new AbortController();
  const written = hanging.storage.write("key", aborted.stream, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(written).rejects.toThrow("enough");
  expect(aborted.reasons).toEqual([controller.signal.reason]);
  expect(hanging.mock.calls).toEqual([]);
});

test("an abort ends the wait for before at once with the signal's reason, and before does not see a call that was aborted earlier", async () => {
  const seen: string[] = [];
  const { mock, storage } = guarded({
    before: ({ operation }) => {
      seen.push(operation);
      return new Promise(() => {});
    },
  });
  const controller = new AbortController();
  const got = storage.get("key", { signal: controller.signal });
  controller.abort("gone");
  await expect(got).rejects.toBe("gone");
  await expect(storage.get("key", { signal: controller.signal })).rejects.toBe("gone");
  expect(seen).toEqual(["get"]);
  expect(mock.calls).toEqual([]);
});

test("the time that before takes does not prolong the life of what is put, and is part of the duration", async () => {
  const clock = new VirtualClock();
  const durations: number[] = [];
  const storage = stack(
    memoryStorage({ clock }),
    events({ clock, before: () => clock.sleep(400), after: (_, { duration }) => void durations.push(duration) }),
  );
  const put = storage.put("key", bytes(1), { ttl: 1_000 });
  const batch = storage.batch([{ type: "put", key: "other", value: bytes(1), options: { ttl: 1_000 } }]);
  await clock.advance(400);
  await Promise.all([put, batch]);
  expect(durations).toEqual([400, 400]);
  const info = storage.getEntries(["key", "other"]);
  await clock.advance(400);
  expect((await info).map((entry) => entry?.expiresAt)).toEqual([clock.now() + 200, clock.now() + 200]);
});

test("close waits for a call that before still looks at, and then refuses new ones before it sees them", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const storage = stack(
    memoryStorage({ clock }),
    events({
      clock,
      before: ({ operation }) => {
        seen.push(operation);
        return clock.sleep(100);
      },
    }),
  );
  const put = storage.put("key", bytes(1));
  const closed = storage.close();
  const source = cancellable();
  await expect(storage.write("late", source.stream)).rejects.toMatchObject({ code: "closed" });
  expect(source.reasons).toHaveLength(1);
  await clock.advance(100);
  expect(await put).toMatchObject({ key: "key" });
  await closed;
  expect(seen).toEqual(["put"]);
});

test("an after that throws is reported with its call, and the answer is as it was", async () => {
  const reported: unknown[] = [];
  const { storage } = guarded({
    after: () => {
      throw new Error("broken");
    },
    onListenerError: (error, told) => void reported.push([(error as Error).message, (told as ObservedCall).operation]),
  });
  expect(await storage.put("key", bytes(1))).toMatchObject({ key: "key" });
  expect(reported).toEqual([["broken", "put"]]);
});
