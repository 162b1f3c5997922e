import type { Bytes, ByteStorage } from "@stowage/core";
import { findLayer, prefixed, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage } from "@stowage/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MadeChange } from "./changes.ts";
import { ChangeBuffer } from "./changes.ts";
import type { Change } from "./index.ts";
import { events, EventsStorage, watch } from "./index.ts";

const bytes = (length: number): Bytes => new Uint8Array(length).fill(7);
const plain = (): ByteStorage => stack(memoryStorage(), events());
const watchersOf = (storage: ByteStorage): unknown => findLayer(storage, EventsStorage)!.details().stats["watchers"];

/** An iteration that has begun: its first `next` is `first`. */
function begun(changes: AsyncIterable<Change>): { first: Promise<IteratorResult<Change>>; iterator: AsyncIterator<Change> } {
  const iterator = changes[Symbol.asyncIterator]();
  return { iterator, first: iterator.next() };
}

async function take(iterator: AsyncIterator<Change>, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  while (changes.length < count) changes.push((await iterator.next()).value as Change);
  return changes;
}

test("the changes made through a storage are given in order, with keys and info", async () => {
  const storage = plain();
  const { first, iterator } = begun(watch(storage));
  await storage.put("a", bytes(1));
  await storage.get("a");
  await storage.write("b", new Blob(["xy"]));
  await storage.delete("a");
  await storage.batch([
    { type: "put", key: "c", value: bytes(1) },
    { type: "delete", key: "d" },
  ]);
  await storage.clear({ prefix: "b" });
  expect([(await first).value, ...(await take(iterator, 5))]).toEqual([
    { type: "put", key: "a", info: expect.objectContaining({ size: 1 }) as object },
    { type: "put", key: "b", info: expect.objectContaining({ size: 2 }) as object },
    { type: "delete", key: "a" },
    { type: "put", key: "c", info: undefined },
    { type: "delete", key: "d" },
    { type: "clear", prefix: "b" },
  ]);
});

test("a prefix chooses keys, and clears that may concern them", async () => {
  const storage = plain();
  const { first, iterator } = begun(watch(storage, { prefix: "a/" }));
  for (const key of ["a/1", "b/1"]) await storage.put(key, bytes(1));
  for (const prefix of ["b/", "a/x", "", "a"]) await storage.clear({ prefix });
  await storage.delete("a/2");
  const seen = [(await first).value as Change, ...(await take(iterator, 4))];
  expect(seen.map(({ key, prefix }) => key ?? prefix)).toEqual(["a/1", "a/x", "", "a", "a/2"]);
});

test("a write whose outcome is unknown is told as unsure, one that failed for good not at all", async () => {
  const mock = mockStorage();
  const storage = stack(mock, events());
  const { first, iterator } = begun(watch(storage));
  const lost = new StorageError("timeout", "No answer.", { outcome: "unknown" });
  const refused = new StorageError("full", "No room.");
  mock.on("put", "no").fails(refused);
  mock.on("put", "lost").fails(lost);
  mock.on("clear").fails(lost);
  mock.on("delete").fails(new Error("aborted"));
  const failures = [
    { index: 0, key: "x", error: lost },
    { index: 1, key: "y", error: refused },
  ];
  mock.on("batch").fails(new StorageError("partial", "Some failed.", { failures }));
  const batch = ["x", "y", "z"].map((key) => ({ type: "delete", key }) as const);
  const writes = [
    () => storage.put("no", bytes(1)),
    () => storage.put("lost", bytes(1)),
    () => storage.clear({ prefix: "p" }),
    () => storage.delete("gone"),
    () => storage.batch(batch),
  ];
  for (const write of writes) await expect(write()).rejects.toThrow();
  expect([(await first).value, ...(await take(iterator, 4))]).toEqual([
    { type: "unsure", key: "lost" },
    { type: "unsure", prefix: "p" },
    { type: "unsure", key: "gone" },
    { type: "unsure", key: "x" },
    { type: "delete", key: "z" },
  ]);
});

test("a clear that failed may have come half-way, so it is told as unsure whatever its error says, unless nothing was begun", async () => {
  const below = memoryStorage();
  const failures: StorageError[] = [
    new StorageError("partial", "Some failed.", { failures: [{ index: 0, key: "a", error: new StorageError("denied", "No.") }] }),
    new StorageError("unavailable", "The second page could not be listed."),
    new StorageError("unsupported", "There is no list."),
    new StorageError("invalid-option", "The prefix must be text."),
  ];
  below.clear = () => Promise.reject(failures.shift()!);
  const storage = stack(below, events());
  const { first, iterator } = begun(watch(storage));
  for (const prefix of ["partial", "page", "unsupported", 5 as never])
    await expect(storage.clear({ prefix })).rejects.toThrow(StorageError);
  await storage.delete("last");
  expect([(await first).value, ...(await take(iterator, 2))]).toEqual([
    { type: "unsure", prefix: "partial" },
    { type: "unsure", prefix: "page" },
    { type: "delete", key: "last" },
  ]);
});

test("what failed of a batch whose outcome is unknown is told as unsure, and what took effect as it is", async () => {
  const mock = mockStorage();
  const storage = stack(mock, events());
  const { first, iterator } = begun(watch(storage));
  // As of a batch that was sent again: the first attempt was lost, the second one was refused.
  const failures = [{ index: 1, key: "b", error: new StorageError("denied", "No.") }];
  mock.on("batch").fails(new StorageError("partial", "One failed.", { failures, outcome: "unknown" }));
  const batch = storage.batch(["a", "b", "c"].map((key) => ({ type: "delete", key }) as const));
  await expect(batch).rejects.toMatchObject({ code: "partial" });
  expect([(await first).value, ...(await take(iterator, 2))]).toEqual([
    { type: "delete", key: "a" },
    { type: "unsure", key: "b" },
    { type: "delete", key: "c" },
  ]);
});

test("a write that was aborted is told as unsure, also where the reason is an error of a storage", async () => {
  const mock = mockStorage();
  mock.on("put").hangs();
  const storage = stack(mock, events());
  const { first } = begun(watch(storage));
  const controller = new AbortController();
  const put = storage.put("a", bytes(1), { signal: controller.signal });
  const reason = new StorageError("timeout", "The request took too long.");
  controller.abort(reason);
  await expect(put).rejects.toBe(reason);
  await storage.delete("b");
  expect((await first).value).toEqual({ type: "unsure", key: "a" });
});

test("what before refused has changed nothing", async () => {
  const storage = stack(
    memoryStorage(),
    events({
      before: ({ operation }) => {
        if (operation === "put") throw new Error("no");
      },
    }),
  );
  const { first } = begun(watch(storage));
  await expect(storage.put("a", bytes(1))).rejects.toThrow();
  await storage.delete("b");
  expect((await first).value).toEqual({ type: "delete", key: "b" });
});

test("a reader that is too slow finds a mark with how many changes are missing, and then what came after he had caught up", async () => {
  const storage = plain();
  const { first, iterator } = begun(watch(storage, { buffer: 2 }));
  for (let number = 0; number < 6; number++) await storage.delete(`k${number}`);
  expect([(await first).value, ...(await take(iterator, 3))]).toEqual([
    { type: "delete", key: "k0" },
    { type: "delete", key: "k1" },
    { type: "delete", key: "k2" },
    { type: "overflow", missed: 3 },
  ]);
  await storage.delete("k6");
  expect(await take(iterator, 1)).toEqual([{ type: "delete", key: "k6" }]);
  expect(findLayer(storage, EventsStorage)!.details().stats["missed"]).toBe(3);
});

test("whatever the pace, a buffer keeps no more than it may, loses nothing unseen, and keeps the order", () => {
  const pace = fc.array(fc.boolean(), { maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), pace, (capacity, steps) => {
      const buffer = new ChangeBuffer(capacity);
      const read: (string | number)[] = [];
      let written = 0;
      const readOne = (): boolean => {
        const change = buffer.take();
        if (change !== undefined) read.push(change.type === "overflow" ? change.missed : change.key!);
        return change !== undefined;
      };
      for (const isWrite of steps) {
        if (isWrite) buffer.add({ type: "delete", key: `${written++}` });
        else readOne();
        expect(buffer.length).toBeLessThanOrEqual(capacity);
      }
      while (readOne());
      let next = 0;
      for (const change of read) {
        if (typeof change === "number") {
          expect(change).toBeGreaterThan(0);
          next += change;
        } else expect(change).toBe(`${next++}`);
      }
      expect(next).toBe(written);
    }),
  );
});

test("a buffer stays quick however much it keeps", () => {
  const buffer = new ChangeBuffer(1_000_000);
  const change: MadeChange = { type: "delete", key: "key" };
  for (let count = 0; count < 200_000; count++) buffer.add(change);
  for (let count = 0; count < 200_000; count++) expect(buffer.take() === change).toBe(true);
  expect(buffer.take()).toBeUndefined();
});

test("a watch that is never read, or left by break, return or a throw, leaves nothing behind", async () => {
  const storage = plain();
  const unread = watch(storage);
  expect(unread[Symbol.asyncIterator]()).toBeDefined();
  expect(watchersOf(storage)).toBe(0);
  const changes = watch(storage);
  const reading = (async () => {
    for await (const { type } of changes) if (type === "delete") break;
  })();
  expect(watchersOf(storage)).toBe(1);
  await storage.delete("a");
  await reading;
  expect(watchersOf(storage)).toBe(0);
  const { first, iterator } = begun(changes);
  expect(watchersOf(storage)).toBe(1);
  await storage.delete("a");
  await storage.delete("b");
  await first;
  await iterator.return?.();
  expect(watchersOf(storage)).toBe(0);
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("an abort ends a watch at once with its reason, whether or not somebody waits", async () => {
  const storage = plain();
  const waiting = new AbortController();
  const { first, iterator } = begun(watch(storage, { signal: waiting.signal }));
  waiting.abort("enough");
  await expect(first).rejects.toBe("enough");
  expect(await iterator.next()).toEqual({ done: true, value: undefined });

  const busy = new AbortController();
  const other = begun(watch(storage, { signal: busy.signal }));
  for (const key of ["a", "b"]) await storage.delete(key);
  await other.first;
  busy.abort("enough");
  await expect(other.iterator.next()).rejects.toBe("enough");
  expect(await other.iterator.next()).toEqual({ done: true, value: undefined });
  expect(watchersOf(storage)).toBe(0);

  await expect(begun(watch(storage, { signal: busy.signal })).first).rejects.toBe("enough");
});

test("readers that wait together are served in turn, and all end with the storage", async () => {
  const storage = plain();
  const iterator = watch(storage)[Symbol.asyncIterator]();
  const waiting = [iterator.next(), iterator.next(), iterator.next()];
  for (const key of ["a", "b"]) await storage.delete(key);
  await storage.close();
  expect((await Promise.all(waiting)).map(({ value }) => value?.key)).toEqual(["a", "b", undefined]);
});

test("close ends a watch after what was made before it, and a new one is refused", async () => {
  const storage = plain();
  const { first, iterator } = begun(watch(storage));
  for (const key of ["a", "b"]) await storage.delete(key);
  await storage.close();
  expect((await first).value).toMatchObject({ key: "a" });
  expect((await iterator.next()).value).toMatchObject({ key: "b" });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  await expect(begun(watch(storage)).first).rejects.toMatchObject({ code: "closed" });
});

test("the layer is found below others, with keys as it sees them, and a stack without one is told what is missing", async () => {
  const storage = stack(memoryStorage(), events(), prefixed("a/"));
  const { first } = begun(watch(storage));
  await storage.delete("key");
  expect((await first).value).toEqual({ type: "delete", key: "a/key" });
  expect(() => watch(memoryStorage())).toThrow("watch: this stack has no events() layer; put one on top of it.");
});

test.each([
  [{ buffer: 0 }, "buffer"],
  [{ buffer: 1.5 }, "buffer"],
  [{ buffer: Infinity }, "buffer"],
  [{ prefix: 5 }, "prefix"],
])("the options %j are refused at once", (options, name) => {
  expect(() => watch(plain(), options as never)).toThrow(`watch: ${name} must be`);
  expect(() => watch(plain(), options as never)).toThrow(StorageError);
});
