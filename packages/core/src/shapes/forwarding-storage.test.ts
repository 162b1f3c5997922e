import { expect, test } from "vitest";
import { bytesOf, HandClock, MapByteStorage, MapStorage, TrackedSource } from "../../test/map-storage.ts";
import type { Bytes, Storage } from "../contract/contract.ts";
import { ForwardingStorage } from "./forwarding-storage.ts";

class Idle<V> extends ForwardingStorage<V> {
  readonly name = "idle";
}
class AlsoIdle<V> extends ForwardingStorage<V> {
  readonly name = "also idle";
}
class Doubling extends ForwardingStorage<number> {
  readonly name = "doubling";

  override async get(...[key, options]: Parameters<Storage<number>["get"]>): Promise<number | undefined> {
    const value = await super.get(key, options);
    return value && value * 2;
  }
}

test("every operation returns the inner promise itself", () => {
  const promise = new Promise<never>(() => {});
  const operations = [
    "get",
    "getEntry",
    "getEntries",
    "head",
    "has",
    "list",
    "put",
    "delete",
    "batch",
    "clear",
    "read",
    "write",
    "flush",
    "close",
  ];
  const inner = new MapByteStorage();
  for (const operation of operations) Reflect.set(inner, operation, () => promise);
  const storage = new Idle<Bytes>(inner);
  for (const operation of operations)
    expect([operation, (Reflect.get(storage, operation) as (a: unknown) => unknown).call(storage, [])]).toEqual([operation, promise]);
});

test("arguments arrive as they are", async () => {
  const inner = new MapByteStorage();
  const seen: unknown[] = [];
  inner.put = async (...rest: unknown[]) => {
    seen.push(...rest);
    return { key: "k" };
  };
  const [value, options] = [bytesOf("a"), { metadata: { a: "b" } }];
  await new Idle<Bytes>(inner).put("k", value, options);
  expect(seen[1]).toBe(value);
  expect(seen[2]).toBe(options);
});

test("a ttl becomes an expiry, and nothing else is touched", async () => {
  const clock = new HandClock();
  const inner = new MapByteStorage({ clock: { now: () => 0, sleep: () => Promise.resolve() } });
  const storage = new Idle<Bytes>(inner, clock);
  const expiresAt = clock.now() + 1_000;
  expect(await storage.put("a", bytesOf("a"), { ttl: 1_000, metadata: { a: "b" } })).toMatchObject({ expiresAt, metadata: { a: "b" } });
  expect(await storage.write("b", new Blob(["b"]), { ttl: 1_000 })).toMatchObject({ expiresAt });
  await storage.batch([{ type: "put", key: "c", value: bytesOf("c"), options: { ttl: 1_000 } }]);
  expect(await storage.head("c")).toMatchObject({ expiresAt });
});

test("a ttl that makes no sense rejects in the name of the layer and cancels the source", async () => {
  const storage = new Idle<Bytes>(new MapByteStorage());
  const source = new TrackedSource(["a"]);
  const refused = { code: "invalid-option", storage: "idle" };
  await expect(storage.put("a", bytesOf("a"), { ttl: -1 })).rejects.toMatchObject({ ...refused, operation: "put" });
  await expect(storage.write("a", source.stream, { ttl: -1 })).rejects.toMatchObject({ ...refused, operation: "write" });
  await expect(storage.batch([{ type: "put", key: "a", value: bytesOf("a"), options: { ttl: -1 } }])).rejects.toMatchObject(refused);
  expect(source.isCancelled).toBe(true);
});

test("idle layers are passed at once, and one that does something is not", async () => {
  const inner = new MapStorage<number>();
  await inner.put("k", 1);
  const storage = new Idle(new AlsoIdle(new Doubling(new Idle(new Doubling(new Idle(inner))))));
  expect(await storage.get("k")).toBe(4);
});

test("it tells what it stands on, and closes that", async () => {
  const inner = new MapStorage<number>();
  const storage = new Idle(inner);
  expect([storage.inner, storage.capabilities]).toEqual([[inner], inner.capabilities]);
  await storage[Symbol.asyncDispose]();
  expect(inner.closed).toBe(1);
});
