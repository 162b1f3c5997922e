import { expect, test } from "vitest";
import type { Capabilities } from "../contract/contract.ts";
import { bytesOf, HandClock, MapByteStorage, MapStorage, settled, textOf } from "../../test/map-storage.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { CopyProgress } from "./copy.ts";
import { copy, lossesOf } from "./copy.ts";
import { scan } from "./scan.ts";

async function filled(keys: readonly string[], capabilities?: Partial<Capabilities>): Promise<MapByteStorage> {
  const storage = new MapByteStorage({ capabilities });
  for (const key of keys) await storage.put(key, bytesOf(`value of ${key}`));
  storage.calls.length = 0;
  return storage;
}

const contentOf = async (storage: MapByteStorage): Promise<Record<string, string | undefined>> => {
  const { entries } = await storage.list();
  return Object.fromEntries(await Promise.all(entries.map(async ({ key }) => [key, textOf(await storage.get(key))] as const)));
};

const nothing = { metadata: 0, expiry: 0 };
const big = bytesOf("x".repeat(300_000));

test("all entries are copied and counted", async () => {
  const from = await filled(["a", "b", "c"]);
  const to = new MapByteStorage();
  expect(await copy(from, to)).toEqual({ entries: 3, bytes: 30, skipped: 0, dropped: nothing });
  expect(await contentOf(to)).toEqual(await contentOf(from));
});

test("only keys below the prefix are copied", async () => {
  const to = new MapByteStorage();
  await copy(await filled(["a/1", "b/1"]), to, { prefix: "a/" });
  expect(await contentOf(to)).toEqual({ "a/1": "value of a/1" });
});

test("only the entries that were chosen are copied, also where the source has no list", async () => {
  const from = await filled(["a", "b", "c"], { list: "none" });
  const to = new MapByteStorage();
  expect(await copy(from, to, { entries: [{ key: "c" }, { key: "gone" }, { key: "a", size: 10 }] })).toMatchObject({ entries: 2 });
  expect(await contentOf(to)).toEqual({ a: "value of a", c: "value of c" });
  expect(from.calls).not.toContain("list");
  await expect(copy(from, to, { entries: [], prefix: "a" })).rejects.toMatchObject({ code: "invalid-option" });
});

test("a copy goes on behind a key by what a scan gives from there", async () => {
  const from = await filled(["a", "b", "c"]);
  const to = new MapByteStorage();
  await copy(from, to, { entries: scan(from, { startAfter: "a" }) });
  expect(await contentOf(to)).toEqual({ b: "value of b", c: "value of c" });
});

test("what a target cannot keep can be asked before", () => {
  const whole = new MapByteStorage();
  expect(lossesOf(whole, whole)).toEqual([]);
  expect(lossesOf(whole, new MapByteStorage({ capabilities: { metadata: false, ttl: false } }))).toEqual(["metadata", "expiry"]);
  expect(lossesOf(new MapByteStorage({ capabilities: { metadata: false, ttl: false } }), whole)).toEqual([]);
});

test("metadata and expiry go along", async () => {
  const clock = new HandClock();
  const from = new MapByteStorage({ clock });
  const to = new MapByteStorage({ clock });
  await from.put("small", bytesOf("a"), { metadata: { a: "b" }, ttl: 1_000 });
  await from.put("large", big, { metadata: { c: "d" }, ttl: 2_000 });
  await copy(from, to);
  expect(await to.head("small")).toMatchObject({ metadata: { a: "b" }, expiresAt: clock.now() + 1_000 });
  expect(await to.head("large")).toMatchObject({ metadata: { c: "d" }, expiresAt: clock.now() + 2_000 });
});

test("large values stream where both sides can, small ones go as a whole", async () => {
  const streamed: string[] = [];
  const from = await filled(["small"]);
  await from.put("large", big);
  const to = new MapByteStorage();
  const write = to.write.bind(to);
  to.write = (key, source, options) => {
    streamed.push(key);
    return write(key, source, options);
  };
  expect(await copy(from, to)).toMatchObject({ entries: 2, bytes: 14 + big.byteLength });
  expect(await copy(from, new MapByteStorage({ capabilities: { streams: "none" } }))).toMatchObject({ entries: 2 });
  expect(streamed).toEqual(["large"]);
  expect((await to.get("large"))?.byteLength).toBe(big.byteLength);
});

test("values that are not bytes are copied, but not into bytes", async () => {
  const from = new MapStorage<number>();
  await from.put("a", 1);
  const to = new MapStorage<number>();
  expect(await copy(from, to)).toMatchObject({ entries: 1, bytes: 0 });
  expect(await to.get("a")).toBe(1);
  await expect(copy(from, new MapByteStorage() as never)).rejects.toMatchObject({ code: "invalid-option" });
});

test("a target that would lose metadata or expiry is refused before anything is written", async () => {
  for (const capabilities of [{ metadata: false }, { ttl: false }] as const) {
    const to = new MapByteStorage({ capabilities });
    await expect(copy(await filled(["a"]), to)).rejects.toMatchObject({ code: "unsupported", storage: "map" });
    expect(to.calls).toEqual([]);
  }
});

test("what is named in drop is left out and counted where there was something", async () => {
  const from = await filled(["plain"]);
  await from.put("both", bytesOf("a"), { metadata: { a: "b" }, ttl: 60_000 });
  await from.put("large", big, { metadata: { a: "b" } });
  const to = new MapByteStorage({ capabilities: { metadata: false, ttl: false } });
  await expect(copy(from, to, { drop: ["metadata"] })).rejects.toMatchObject({ code: "unsupported" });
  expect(await copy(from, to, { drop: ["metadata", "expiry"] })).toMatchObject({ entries: 3, dropped: { metadata: 2, expiry: 1 } });
});

test("what the target can keep is kept although drop names it", async () => {
  const from = new MapByteStorage();
  await from.put("a", bytesOf("a"), { metadata: { a: "b" } });
  const to = new MapByteStorage();
  expect(await copy(from, to, { drop: ["metadata", "expiry"] })).toMatchObject({ dropped: nothing });
  expect(await to.head("a")).toMatchObject({ metadata: { a: "b" } });
});

test("a target that cannot take conditions cannot promise never to overwrite", async () => {
  const to = new MapByteStorage({ capabilities: { conditions: [] } });
  await expect(copy(await filled(["a"]), to, { overwrite: "never" })).rejects.toMatchObject({ code: "unsupported" });
});

test("a source that cannot be listed cannot be copied", async () => {
  await expect(copy(await filled([], { list: "none" }), new MapByteStorage())).rejects.toMatchObject({ code: "unsupported" });
});

test("overwrite never leaves what is there, also what comes in between", async () => {
  const from = await filled(["there", "raced", "new"]);
  const to = await filled([]);
  await to.put("there", bytesOf("mine"));
  const has = to.has.bind(to);
  to.has = async (key) => {
    const there = await has(key);
    if (key === "raced") await to.put("raced", bytesOf("theirs"));
    return there;
  };
  expect(await copy(from, to, { overwrite: "never" })).toMatchObject({ entries: 1, skipped: 2 });
  expect(await contentOf(to)).toEqual({ there: "mine", raced: "theirs", new: "value of new" });
});

test("overwrite never streams only where streams take conditions", async () => {
  const from = new MapByteStorage();
  await from.put("large", big);
  for (const conditions of [["create"], ["create", "stream"]] as const) {
    const to = new MapByteStorage({ capabilities: { conditions } });
    expect(await copy(from, to, { overwrite: "never" })).toMatchObject({ entries: 1 });
    expect(await copy(from, to, { overwrite: "never" })).toMatchObject({ entries: 0, skipped: 1 });
  }
});

test("an entry that is gone since it was listed is passed over", async () => {
  const from = await filled(["a", "b"]);
  const list = from.list.bind(from);
  from.list = async (options) => {
    const page = await list(options);
    await from.delete("a");
    return page;
  };
  expect(await copy(from, new MapByteStorage())).toMatchObject({ entries: 1, skipped: 0 });
});

test("progress is told after each entry and each part of a stream", async () => {
  const from = await filled(["a", "b"]);
  await from.put("c", big);
  const seen: CopyProgress[] = [];
  const result = await copy(from, new MapByteStorage(), { concurrency: 1, onProgress: (progress) => void seen.push(progress) });
  expect(seen.slice(0, 2).map(({ entries, bytes }) => [entries, bytes])).toEqual([
    [1, 10],
    [2, 20],
  ]);
  const parts = seen.slice(2, -1);
  expect(parts.length).toBeGreaterThan(0);
  for (const [index, { entries, bytes }] of parts.entries()) {
    expect(entries).toBe(2);
    expect(bytes).toBeGreaterThan(seen[index + 1]?.bytes ?? Number.NaN);
  }
  expect(result).toEqual({ entries: 3, bytes: 20 + big.byteLength, skipped: 0, dropped: nothing });
  expect(seen.at(-1)).toEqual(result);
});

test("no more entries than the concurrency are on their way at once", async () => {
  const from = await filled(Array.from({ length: 20 }, (_, index) => `key${index}`));
  const to = new MapByteStorage();
  let running = 0;
  let most = 0;
  const put = to.put.bind(to);
  to.put = async (key: string, value: Uint8Array) => {
    most = Math.max(most, ++running);
    await settled();
    running--;
    return await put(key, value);
  };
  await copy(from, to, { concurrency: 3 });
  expect(most).toBe(3);
  await expect(copy(from, to, { concurrency: 0 })).rejects.toMatchObject({ code: "invalid-option" });
  await expect(copy(from, to, { overwrite: "maybe" as never })).rejects.toMatchObject({ code: "invalid-option" });
  await expect(copy(from, to, { drop: ["expires" as never] })).rejects.toMatchObject({ code: "invalid-option" });
});

test("the first failure ends it as it is", async () => {
  const failure = new StorageError("full", "no room");
  const to = new MapByteStorage();
  to.put = (): Promise<never> => Promise.reject(failure);
  await expect(copy(await filled(["a", "b"]), to)).rejects.toBe(failure);
});

test("a failure that somebody takes does not end it, and one that is thrown on does", async () => {
  const to = new MapByteStorage();
  const put = to.put.bind(to);
  const failure = new StorageError("too-large", "more than fits");
  to.put = (key, value, options) => (key === "b" ? Promise.reject(failure) : put(key, value, options));
  const failures: [key: string, error: unknown][] = [];
  const from = await filled(["a", "b", "c"]);
  expect(await copy(from, to, { onFailure: (...each) => void failures.push(each) })).toMatchObject({ entries: 2, bytes: 20 });
  expect(failures).toEqual([["b", failure]]);
  expect(Object.keys(await contentOf(to))).toEqual(["a", "c"]);
  const copying = copy(from, to, {
    onFailure() {
      throw new Error("enough");
    },
  });
  await expect(copying).rejects.toThrow("enough");
});

test("an abort is no failure of an entry", async () => {
  const abort = new AbortController();
  const to = new MapByteStorage();
  to.put = () => {
    abort.abort(new Error("stop"));
    return Promise.reject(new StorageError("unavailable", "gone"));
  };
  const failures: string[] = [];
  const copying = copy(await filled(["a"]), to, { signal: abort.signal, onFailure: (key) => void failures.push(key) });
  await expect(copying).rejects.toMatchObject({ code: "unavailable" });
  expect(failures).toEqual([]);
});

test("an abort ends it with its reason", async () => {
  const abort = new AbortController();
  const from = await filled(["a", "b", "c"]);
  const to = new MapByteStorage();
  const put = to.put.bind(to);
  to.put = (key: string, value: Uint8Array) => {
    abort.abort(new Error("enough"));
    return put(key, value);
  };
  await expect(copy(from, to, { concurrency: 1, signal: abort.signal })).rejects.toThrow("enough");
  expect(Object.keys(await contentOf(to))).toEqual(["a"]);
});
