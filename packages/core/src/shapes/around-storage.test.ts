import { expect, test } from "vitest";
import { bytesOf, HandClock, MapByteStorage, MapStorage, readText, TrackedSource } from "../../test/map-storage.ts";
import type { Bytes, ReadOptions, Storage } from "../contract/contract.ts";
import type { Call, Next, StreamEntry } from "./around-storage.ts";
import { AroundStorage } from "./around-storage.ts";

type Around = (call: Call, next: Next<unknown>) => Promise<unknown>;

/** Keeps the calls it sees and does with them what a test says. */
class Watched<V> extends AroundStorage<V> {
  readonly name = "watched";
  readonly seen: Call[] = [];
  handle: Around = (_call, next) => next();

  protected override around<T>(call: Call, next: Next<T>): Promise<T> {
    this.seen.push(call);
    return this.handle(call, next) as Promise<T>;
  }
}

const watchedBytes = (inner: Storage<Bytes>, clock?: HandClock): Watched<Bytes> => new Watched(inner, clock);

test("every call but close and details goes through around, once, with its key", async () => {
  const inner = new MapByteStorage();
  const storage = watchedBytes(inner);
  const value = bytesOf("a");
  await storage.put("k", value);
  await storage.get("k");
  await storage.getEntry("k");
  await storage.getEntries(["k"]);
  await storage.head("k");
  await storage.has("k");
  await storage.list();
  await storage.write("k", new Blob(["b"]));
  await readText((await storage.read("k"))?.value);
  await storage.batch([{ type: "put", key: "k", value }]);
  await storage.delete("k");
  await storage.clear();
  await storage.flush();
  storage.details();
  await storage.close();
  expect(storage.seen.map(({ operation, key }) => (key === undefined ? operation : `${operation} ${key}`))).toEqual([
    "put k",
    "get k",
    "getEntry k",
    "getEntries",
    "head k",
    "has k",
    "list",
    "write k",
    "read k",
    "batch",
    "delete k",
    "clear",
    "flush",
  ]);
});

test("the promise of the inner storage is returned itself", () => {
  const answer = Promise.resolve(undefined);
  const inner = new MapStorage<number>();
  inner.get = () => answer;
  expect(new Watched(inner).get("k")).toBe(answer);
});

test("a call tells how often it may be sent", async () => {
  const storage = watchedBytes(new MapByteStorage());
  const value = bytesOf("a");
  await storage.put("k", value);
  await storage.put("k", value, { ifMatch: "1" });
  await storage.delete("k", { ifMatch: "2" });
  await storage.delete("k");
  await storage.write("k", new Blob(["a"]), { ifNoneMatch: "*" });
  await storage.write("k", () => new TrackedSource(["a"]).stream);
  await storage.write("k", new TrackedSource(["a"]).stream);
  await storage.get("k");
  await storage.batch([{ type: "delete", key: "k", options: { ifMatch: "1" } }]).catch(() => {});
  expect(storage.seen.map(({ repeatable }) => repeatable)).toEqual([
    "always",
    "without-effect",
    "without-effect",
    "always",
    "without-effect",
    "always",
    "never",
    "always",
    "without-effect",
  ]);
});

test("a ttl is an expiry by the time a call gets there, so that sending it again prolongs nothing", async () => {
  const clock = new HandClock();
  const inner = new MapByteStorage({ clock });
  const storage = watchedBytes(inner, clock);
  storage.handle = async (_call, next) => {
    await next();
    await clock.advance(500);
    return await next();
  };
  const expiresAt = clock.now() + 1_000;
  await storage.put("k", bytesOf("a"), { ttl: 1_000 });
  expect(storage.seen[0]?.options).toEqual({ expiresAt });
  expect((await inner.head("k"))?.expiresAt).toBe(expiresAt);
});

test("a signal handed to next takes the place of the one of the caller", async () => {
  const inner = new MapStorage<number>();
  const seen: unknown[] = [];
  inner.get = (_key, options) => {
    seen.push(options);
    return Promise.resolve(1);
  };
  const storage = new Watched(inner);
  const [own, callers] = [new AbortController().signal, new AbortController().signal];
  await storage.get("k", { signal: callers });
  storage.handle = (_call, next) => next(own);
  await storage.get("k", { signal: callers });
  await storage.get("k");
  expect(seen).toEqual([{ signal: callers }, { signal: own }, { signal: own }]);
});

test("an around that throws makes the call reject", async () => {
  const storage = watchedBytes(new MapByteStorage());
  storage.handle = () => {
    throw new Error("bug");
  };
  const source = new TrackedSource(["a"]);
  const calls = [storage.get("k"), storage.list(), storage.put("k", bytesOf("a")), storage.read("k"), storage.write("k", source.stream)];
  for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ status: "rejected", reason: new Error("bug") });
  expect(source.isCancelled).toBe(true);
});

test("a write that is answered without being sent lets go of its source, and cannot be sent later", async () => {
  const inner = new MapByteStorage();
  const storage = watchedBytes(inner);
  let late: Next<unknown> = () => Promise.resolve();
  storage.handle = (_call, next) => {
    late = next;
    return Promise.reject(new Error("circuit open"));
  };
  const source = new TrackedSource(["a"]);
  await expect(storage.write("k", source.stream)).rejects.toThrow("circuit open");
  expect(source.cancelled).toEqual(new Error("circuit open"));
  await expect(late()).rejects.toMatchObject({ code: "internal" });
  expect(inner.calls).toEqual([]);
});

test("a stream passes the second hook, which can read again below", async () => {
  class Twice extends Watched<Bytes> {
    protected override aroundStream(
      _call: Call,
      entry: StreamEntry,
      again: (options: ReadOptions) => Promise<StreamEntry | undefined>,
    ): StreamEntry {
      const whole = async function* (): AsyncGenerator<string> {
        yield `${await readText(entry.value)}`;
        yield `${await readText((await again({ start: 1 }))?.value)}`;
      };
      return { ...entry, value: ReadableStream.from(whole()).pipeThrough(new TextEncoderStream()) as ReadableStream<Bytes> };
    }
  }
  const inner = new MapByteStorage();
  await inner.put("k", bytesOf("abc"));
  const storage = new Twice(inner);
  expect(await readText((await storage.read("k"))?.value)).toBe("abcbc");
  expect(await storage.read("none")).toBeUndefined();
  expect(storage.seen.length).toBe(2);
});

test("options of untyped callers that are null go below as they are, or are refused here", async () => {
  const storage = watchedBytes(new MapByteStorage());
  const none = null as never;
  const calls = [
    () => storage.put("k", bytesOf("a"), none),
    () => storage.delete("k", none),
    () => storage.write("k", new Blob(["b"]), none),
    () => storage.batch([{ type: "delete", key: "k", options: none }], none),
    () => storage.get("k", none),
    () => storage.read("k", none),
  ];
  for (const call of calls) await call().catch((error: unknown) => expect(error).toMatchObject({ code: "invalid-option" }));
});
