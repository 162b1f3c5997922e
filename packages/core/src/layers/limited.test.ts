import { expect, test } from "vitest";
import type { Bytes } from "../contract/contract.ts";
import { bytesOf, HandClock, MapByteStorage, MapStorage, readText, settled, textOf, TrackedSource } from "../../test/map-storage.ts";
import { json } from "../codecs/json.ts";
import { limited } from "./limited.ts";

async function filled(): Promise<MapByteStorage> {
  const storage = new MapByteStorage();
  for (const key of ["a.txt", "b.json", "img/c.png"]) await storage.put(key, bytesOf("hello"));
  storage.calls.length = 0;
  return storage;
}

/** A storage that answers nothing until it is told to, and knows the signals it was given. */
class Hanging extends MapByteStorage {
  readonly signals: (AbortSignal | undefined)[] = [];
  readonly gate: PromiseWithResolvers<undefined> = Promise.withResolvers();

  override async getEntry(...[key, options]: Parameters<MapByteStorage["getEntry"]>): ReturnType<MapByteStorage["getEntry"]> {
    this.signals.push(options?.signal);
    await this.gate.promise;
    return await super.getEntry(key);
  }

  override async put(...[key, value, options]: Parameters<MapByteStorage["put"]>): ReturnType<MapByteStorage["put"]> {
    this.signals.push(options?.signal);
    await this.gate.promise;
    return await super.put(key, value);
  }
}

test("a value over the size is refused before any I/O, one of the size is not", async () => {
  const inner = await filled();
  const storage = limited({ maxSize: 3 })(inner);
  await storage.put("key", bytesOf("abc"));
  inner.calls.length = 0;
  await expect(storage.put("key", bytesOf("abcd"))).rejects.toMatchObject({
    code: "too-large",
    operation: "put",
    key: "key",
    storage: "limited",
  });
  expect(inner.calls).toEqual([]);
});

test("reads and lists are not limited by size", async () => {
  const storage = limited({ maxSize: 3 })(await filled());
  expect(textOf(await storage.get("a.txt"))).toBe("hello");
  expect(await readText((await storage.read("a.txt"))?.value)).toBe("hello");
  expect((await storage.list()).entries.length).toBe(3);
});

test("a stream that is declared too large is refused and cancelled unread", async () => {
  const inner = await filled();
  const storage = limited({ maxSize: 3 })(inner);
  const source = new TrackedSource(["abcd"]);
  await expect(storage.write("key", source.stream, { size: 4 })).rejects.toMatchObject({ code: "too-large", operation: "write" });
  expect(source).toMatchObject({ isCancelled: true, pulled: 0 });
  await expect(storage.write("key", new Blob(["abcd"]))).rejects.toMatchObject({ code: "too-large" });
  expect(inner.calls).toEqual([]);
});

test("a stream without a size is cut off where it exceeds, and nothing is stored", async () => {
  const inner = await filled();
  const storage = limited({ maxSize: 3 })(inner);
  const source = new TrackedSource(["ab", "cd", "ef"]);
  await expect(storage.write("a.txt", source.stream)).rejects.toMatchObject({ code: "too-large" });
  expect(source).toMatchObject({ isCancelled: true, pulled: 2 });
  await expect(storage.write("a.txt", () => new TrackedSource(["abcd"]).stream)).rejects.toMatchObject({ code: "too-large" });
  expect(textOf(await inner.get("a.txt"))).toBe("hello");
  await storage.write("a.txt", new TrackedSource(["ab", "c"]).stream);
  expect(textOf(await inner.get("a.txt"))).toBe("abc");
});

test("a value over the size fails alone in a batch", async () => {
  const inner = await filled();
  const batch = limited({ maxSize: 3 })(inner).batch([
    { type: "put", key: "big", value: bytesOf("abcd") },
    { type: "put", key: "small", value: bytesOf("abc") },
    { type: "delete", key: "a.txt" },
  ]);
  await expect(batch).rejects.toMatchObject({ code: "partial", failures: [{ index: 0, key: "big", error: { code: "too-large" } }] });
  expect([await inner.has("big"), await inner.has("small"), await inner.has("a.txt")]).toEqual([false, true, false]);
});

test("every call with a key of another form is refused before any I/O", async () => {
  const inner = await filled();
  const storage = limited({ keys: ["*.json", "img/**"] })(inner);
  const refused = { code: "invalid-key", storage: "limited" };
  const source = new TrackedSource(["a"]);
  await expect(storage.get("a.txt")).rejects.toMatchObject({ ...refused, operation: "get", key: "a.txt" });
  await expect(storage.getEntries(["b.json", "a.txt"])).rejects.toMatchObject({ ...refused, operation: "getEntries" });
  await expect(storage.put("a.txt", bytesOf("a"))).rejects.toMatchObject({ ...refused, operation: "put" });
  await expect(storage.delete("a.txt")).rejects.toMatchObject({ ...refused, operation: "delete" });
  await expect(storage.write("a.txt", source.stream)).rejects.toMatchObject({ ...refused, operation: "write" });
  await expect(storage.get(7 as never)).rejects.toMatchObject({ code: "invalid-key" });
  expect([source.isCancelled, inner.calls, storage.capabilities.anyKey]).toEqual([true, [], false]);
  expect(textOf(await storage.get("img/c.png"))).toBe("hello");
});

test("list and clear pass over keys of another form", async () => {
  const inner = await filled();
  const storage = limited({ keys: ["*.json", "img/**"] })(inner);
  expect((await storage.list()).entries).toEqual([{ key: "b.json" }, { key: "img/c.png" }]);
  await storage.clear();
  expect((await inner.list()).entries).toEqual([{ key: "a.txt" }]);
});

test("clear goes down as it is where keys are not limited", async () => {
  const inner = await filled();
  let cleared: unknown;
  inner.clear = async (options) => void (cleared = options);
  await limited({ timeout: 1_000 })(inner).clear({ prefix: "a" });
  expect(cleared).toMatchObject({ prefix: "a" });
});

test("a read that hangs is a timeout without effect, and a write one whose outcome is unknown", async () => {
  const clock = new HandClock();
  const inner = new Hanging({ clock });
  const storage = limited({ timeout: 1_000, clock })(inner);
  const read = expect(storage.get("key")).rejects.toMatchObject({
    code: "timeout",
    outcome: "none",
    operation: "get",
    key: "key",
    retryable: true,
  });
  const write = expect(storage.put("key", bytesOf("a"))).rejects.toMatchObject({ code: "timeout", outcome: "unknown", operation: "put" });
  await clock.advance(999);
  expect(inner.signals.map((signal) => signal?.aborted)).toEqual([false, false]);
  await clock.advance(60);
  await Promise.all([read, write]);
  expect(inner.signals.map((signal) => signal?.aborted)).toEqual([true, true]);
});

test("a call that is answered in time leaves no timer behind", async () => {
  const clock = new HandClock();
  const storage = limited({ timeout: 1_000, clock })(await filled());
  expect(textOf(await storage.get("a.txt"))).toBe("hello");
  await clock.advance(100);
  expect(clock.sleeping).toBe(0);
});

test("the signal of the caller reaches the call below beside the time limit", async () => {
  const clock = new HandClock();
  const inner = new Hanging({ clock });
  const abort = new AbortController();
  void limited({ timeout: 1_000, clock })(inner)
    .get("key", { signal: abort.signal })
    .catch(() => {});
  abort.abort(new Error("enough"));
  expect(inner.signals[0]).toMatchObject({ aborted: true, reason: new Error("enough") });
});

test("a stream that was handed out in time may be read for longer, and one that came late is cancelled", async () => {
  const clock = new HandClock();
  const quick = await filled();
  const entry = await limited({ timeout: 1_000, clock })(quick).read("a.txt");
  await clock.advance(5_000);
  expect(await readText(entry?.value)).toBe("hello");

  const late = new TrackedSource(["a"]);
  const slow = await filled();
  const gate = Promise.withResolvers<{ readonly key: string; readonly value: ReadableStream<Bytes> }>();
  slow.read = () => gate.promise;
  const failed = expect(limited({ timeout: 1_000, clock })(slow).read("a.txt")).rejects.toMatchObject({ code: "timeout", outcome: "none" });
  await clock.advance(1_060);
  await failed;
  gate.resolve({ key: "a.txt", value: late.stream });
  await settled();
  expect(late.isCancelled).toBe(true);
});

test("limits that make no sense are refused when they are made", () => {
  const bad: unknown[] = [
    { maxSize: -1 },
    { maxSize: 1.5 },
    { timeout: 0 },
    { timeout: Number.POSITIVE_INFINITY },
    { keys: [] },
    { keys: "a" },
    { keys: ["{a}"] },
  ];
  for (const options of bad)
    expect(() => limited(options as never)).toThrow(expect.objectContaining({ code: "invalid-option", storage: "limited" }));
});

test("a size needs bytes below", () => {
  const values = json()(new MapByteStorage());
  for (const storage of [values, new MapStorage<number>()]) {
    expect(() => limited({ maxSize: 5 })(storage as never)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
});

test("without limits for keys, what can be done is what can be done below", async () => {
  const inner = await filled();
  const storage = limited({ timeout: 5, maxSize: 5 })(inner);
  expect(storage.capabilities).toBe(inner.capabilities);
  expect(storage.details().options).toEqual({ timeout: 5, maxSize: 5 });
});
