import type { Bytes, ByteSource, ByteStorage, EntryInfo, ListOptions, Page, PutOptions, WriteOptions } from "@stowage/core";
import { json, openSource, prefixed, scan, stack, stopSource, StorageError } from "@stowage/core";
import { compressed } from "@stowage/compressed";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { RewriteProgress } from "./index.ts";
import { encrypted, rewrite } from "./index.ts";
import { bytesOf, collect, failed, first, mebibyte, same, second, setUp, Streaming, Watched, withoutConditions } from "./testing/set-up.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
const seed = Number(process.env["STOWAGE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const both = [second, first];

/** The key under which an entry is stored. */
async function idOf(memory: ByteStorage, key: string): Promise<string> {
  const stored = Buffer.from((await memory.get(key)) as Bytes);
  return stored.toString("ascii", 18, 18 + (stored[17] as number));
}

test("rotation puts a new header over the same ciphertext, and keeps the expiry", async () => {
  const clock = new VirtualClock();
  const memory = new Streaming(memoryStorage({ clock }));
  const old = encrypted({ keys: [first], clock, context: "x" })(memory);
  const sizes = [0, 1000, 200_000, mebibyte, 2 * mebibyte + 5];
  for (const size of sizes) await old.put(`${size}`, bytesOf(size), { ttl: 60_000 });
  const before = new Map(await Promise.all(sizes.map(async (size) => [size, await memory.getEntry(`${size}`)] as const)));
  const storage = encrypted({ keys: both, clock, context: "x" })(memory);
  expect(await rewrite(storage)).toEqual({ entries: 5, rewritten: 5, encrypted: 0, current: 0, failed: 0, position: undefined });
  const alone = encrypted({ keys: [second], clock, context: "x" })(memory);
  for (const size of sizes) {
    const after = await memory.getEntry(`${size}`);
    expect(same(after?.value.subarray(154), before.get(size)?.value.subarray(154) as Bytes)).toBe(true);
    expect(after?.expiresAt).toBe(before.get(size)?.expiresAt);
    expect(await idOf(memory, `${size}`)).toBe(second.id);
    expect(same(await alone.get(`${size}`), bytesOf(size))).toBe(true);
    expect(same(await collect(await alone.read(`${size}`)), bytesOf(size))).toBe(true);
  }
  expect(await rewrite(storage)).toMatchObject({ entries: 5, rewritten: 0, current: 5 });
});

test("a large entry is rewritten as a stream, a small one in two reads and a put, a current one in one short read", async () => {
  const mock = mockStorage();
  const memory = new Streaming(mock);
  await encrypted({ keys: [first] })(memory).put("small", bytesOf(500));
  await encrypted({ keys: [first] })(memory).put("large", bytesOf(3 * mebibyte));
  await encrypted({ keys: [second] })(memory).put("current", bytesOf(3 * mebibyte));
  const before = mock.calls.length;
  await rewrite(encrypted({ keys: both })(memory));
  const calls = (key: string): string[] =>
    mock.calls
      .slice(before)
      .filter((call) => call.key === key)
      .map(({ operation }) => operation);
  expect(calls("small")).toEqual(["read", "getEntry", "put"]);
  expect(calls("large")).toEqual(["read", "read", "write"]);
  expect(calls("current")).toEqual(["read"]);
});

test("plaintext is encrypted in the time of legacy, in place, and without it is a failure that is named", async () => {
  const clock = new VirtualClock();
  const memory = new Streaming(memoryStorage({ clock }));
  for (const size of [0, 100, 2 * mebibyte])
    await memory.put(`plain/${size}`, bytesOf(size), { metadata: { "content-type": "x/y" }, ttl: 60_000 });
  const strict = encrypted({ keys: [first], clock })(memory);
  await strict.put("sealed", bytesOf(5));
  const error = await rewrite(strict).catch(failed);
  expect(error).toMatchObject({ code: "partial" });
  expect((error as StorageError).failures?.map(({ key, error: cause }) => [key, (cause as StorageError).code])).toEqual([
    ["plain/0", "corrupt"],
    ["plain/100", "corrupt"],
    [`plain/${2 * mebibyte}`, "corrupt"],
  ]);
  const lenient = encrypted({ keys: [first], clock, legacy: { until: clock.now() + 5000 } })(memory);
  expect(await rewrite(lenient)).toEqual({ entries: 4, rewritten: 3, encrypted: 3, current: 1, failed: 0, position: undefined });
  for (const size of [0, 100, 2 * mebibyte]) {
    expect(same(await strict.get(`plain/${size}`), bytesOf(size))).toBe(true);
    expect(await memory.head(`plain/${size}`)).toMatchObject({ metadata: { "content-type": "x/y" }, expiresAt: clock.now() + 60_000 });
  }
});

test("damaged entries are left as they are, all others are rewritten, and the error names them", async () => {
  const { memory, storage: old } = setUp();
  for (let index = 0; index < 20; index++) await old.put(`${index}`, bytesOf(100));
  const damaged = ((await memory.get("7")) as Bytes).slice();
  damaged[120] = (damaged[120] as number) ^ 1;
  await memory.put("7", damaged);
  await encrypted({ keys: [{ id: "lost", secret: bytesOf(32) }] })(memory).put("8", bytesOf(5));
  const error = await rewrite(encrypted({ keys: both })(memory)).catch(failed);
  expect(error).toMatchObject({ code: "partial" });
  const failures = (error as StorageError).failures ?? [];
  expect(Object.fromEntries(failures.map(({ key, error: cause }) => [key, (cause as StorageError).code]))).toEqual({
    "7": "tampered",
    "8": "unknown-key",
  });
  expect(same(await memory.get("7"), damaged)).toBe(true);
  for (let index = 0; index < 20; index++) if (index !== 7 && index !== 8) expect(await idOf(memory, `${index}`)).toBe(second.id);
});

test("without the condition replace it is refused before any I/O, unless nobody else writes", async () => {
  const mock = mockStorage();
  const memory = new Streaming(mock, withoutConditions);
  await encrypted({ keys: [first] })(memory).put("a", bytesOf(100));
  await encrypted({ keys: [first] })(memory).put("b", bytesOf(2 * mebibyte));
  const before = mock.calls.length;
  const storage = encrypted({ keys: both })(memory);
  for (const renew of ["keys", "values"] as const)
    expect(await rewrite(storage, { renew }).catch(failed)).toMatchObject({ code: "unsupported" });
  expect(mock.calls.length).toBe(before);
  expect(await rewrite(storage, { offline: true })).toMatchObject({ rewritten: 2 });
  const alone = encrypted({ keys: [second] })(memory);
  expect(same(await alone.get("a"), bytesOf(100))).toBe(true);
  expect(same(await alone.get("b"), bytesOf(2 * mebibyte))).toBe(true);
});

test("an interrupted run goes on from its position, and does not look at what is behind it", async () => {
  const { memory, storage: old } = setUp();
  for (let index = 0; index < 450; index++) await old.put(`k${String(index).padStart(4, "0")}`, bytesOf(10));
  const listed: (string | undefined)[] = [];
  class Listed extends Streaming {
    override list(options?: ListOptions): Promise<Page> {
      listed.push(options?.cursor);
      return super.list(options);
    }
  }
  const storage = encrypted({ keys: both })(new Listed(memory));
  const stop = new AbortController();
  let last: RewriteProgress | undefined;
  const interrupted = rewrite(storage, {
    signal: stop.signal,
    onProgress(progress) {
      last = progress;
      if (progress.rewritten === 250) stop.abort(new Error("stop"));
    },
  });
  expect(await interrupted.catch(failed)).toBe(stop.signal.reason);
  expect(last?.position).toBeDefined();
  const report = await rewrite(storage, { position: last?.position });
  expect(report.entries).toBe(250);
  expect(report.rewritten + report.current).toBe(250);
  expect(report.rewritten).toBeLessThanOrEqual(200);
  expect(listed.filter((cursor) => cursor === undefined)).toHaveLength(1);
  for await (const { key } of scan(memory)) expect(await idOf(memory, key)).toBe(second.id);
});

test("a prefix limits it to some entries", async () => {
  const { memory, storage: old } = setUp();
  for (const key of ["a/1", "a/2", "b/1"]) await old.put(key, bytesOf(10));
  expect(await rewrite(encrypted({ keys: both })(memory), { prefix: "a/" })).toMatchObject({ entries: 2, rewritten: 2 });
  expect(await idOf(memory, "b/1")).toBe(first.id);
});

test("it works on the encrypted layer inside a stack, but not through what gives entries other keys", async () => {
  const { memory, storage: old } = setUp();
  await stack(old, compressed(), json<string>()).put("a", "text");
  const layer = encrypted({ keys: both })(memory);
  const users = stack(layer, compressed(), json<string>());
  expect(await rewrite(users)).toMatchObject({ rewritten: 1 });
  expect(await users.get("a")).toBe("text");
  expect(await rewrite(prefixed("a/")(layer)).catch(failed)).toMatchObject({ code: "invalid-option" });
  expect(await rewrite(memoryStorage()).catch(failed)).toMatchObject({ code: "invalid-option" });
  expect(await rewrite(layer, { renew: "all" as "keys" }).catch(failed)).toMatchObject({ code: "invalid-option" });
  expect(await rewrite(layer, { concurrency: 0 }).catch(failed)).toMatchObject({ code: "invalid-option" });
});

test("values are read through the whole stack and put again where that is asked for: another codec, another body", async () => {
  const memory = new Streaming(memoryStorage());
  const text = new TextEncoder().encode("row, row, row your boat ".repeat(500));
  const large = new TextEncoder().encode("gently down the stream ".repeat(100_000));
  const old = stack(memory, encrypted({ keys: [first] }), compressed({ codec: "gzip" }));
  await old.put("small", text);
  await old.put("large", large);
  const bodies = new Map<string, Bytes>();
  for (const key of ["small", "large"]) bodies.set(key, ((await memory.get(key)) as Bytes).slice(154));
  const storage = stack(memory, encrypted({ keys: both }), compressed({ codec: "zstd" }));
  expect(await rewrite(storage, { renew: "values" })).toMatchObject({ entries: 2, rewritten: 2 });
  for (const [key, value] of [
    ["small", text],
    ["large", large],
  ] as const) {
    expect(same(await storage.get(key), value)).toBe(true);
    expect(await idOf(memory, key)).toBe(second.id);
    expect(same(((await memory.get(key)) as Bytes).slice(154), bodies.get(key) as Bytes)).toBe(false);
    const below: Uint8Array | undefined = await encrypted({ keys: [second] })(memory).get(key);
    expect(below?.[17]).toBe(key === "small" ? 1 : 0); // the codec of the piece; blocks name theirs later
  }
  const users = stack(memoryStorage(), json<number[]>());
  await users.put("a", [1, 2]);
  expect(await rewrite(users, { renew: "values" })).toMatchObject({ rewritten: 1 });
  expect(await users.get("a")).toEqual([1, 2]);
});

test("an entry that others change all the time is a conflict in the end", async () => {
  const { memory, storage: old } = setUp();
  await old.put("a", bytesOf(10));
  class Busy extends Streaming {
    override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
      await old.put(key, bytesOf(11));
      return await super.put(key, value, options);
    }
  }
  const storage = encrypted({ keys: both })(new Busy(memory));
  expect(await rewrite(storage).catch(failed)).toMatchObject({ code: "conflict" });
  expect(same(await storage.get("a"), bytesOf(11))).toBe(true);
});

test("a rewrite whose write is refused before it reads lets go of what it would have read", async () => {
  class Refusing extends Watched {
    refused = 0;

    override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
      if (this.refused++ % 4 === 3) return await super.write(key, source, options);
      const error = new StorageError("precondition-failed", "Another version is there.");
      const chunks = openSource(source);
      if (this.refused % 2 === 0) await chunks.next(); // the new header, before anything is read
      stopSource(chunks, error);
      throw error;
    }
  }
  const clock = new VirtualClock();
  const legacy = { until: clock.now() + 1000 };
  const memory = new Refusing(memoryStorage({ clock }));
  await memory.inner[0]!.put("plain", bytesOf(3 * mebibyte));
  await encrypted({ keys: [first] })(memory).put("sealed", bytesOf(3 * mebibyte));
  const storage = encrypted({ keys: both, clock, legacy })(memory);
  expect(await rewrite(storage, { concurrency: 1 })).toMatchObject({ rewritten: 2, encrypted: 1 });
  expect(memory.opened).toEqual(["plain", "plain", "plain", "plain", "sealed", "sealed", "sealed", "sealed"]);
  expect(memory.ended).toEqual(memory.opened);
  for (const key of ["plain", "sealed"]) expect(same(await storage.get(key), bytesOf(3 * mebibyte))).toBe(true);
});

test("a value that cannot be put again, because it has no etag, is let go of", async () => {
  const memory = new Watched(memoryStorage(), {}, { etags: false });
  await memory.put("a", bytesOf(3 * mebibyte));
  const error = await rewrite(memory, { renew: "values" }).catch(failed);
  expect((error as StorageError).failures).toMatchObject([{ key: "a", error: { code: "unsupported" } }]);
  expect([memory.opened, memory.ended]).toEqual([["a"], ["a"]]);
  expect(await rewrite(memory, { renew: "values", offline: true })).toMatchObject({ rewritten: 1 });
});

test("under writers, readers and interruptions every entry is readable at every moment, and none stays under the old key", async () => {
  for (let run = 0; run < (full ? 300 : 20); run++) await rotateUnderLoad(seed + run);
});

/** One migration of plaintext and old entries, with others at work and the run stopped and started again. */
async function rotateUnderLoad(start: number): Promise<void> {
  let state = start >>> 0;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const clock = new VirtualClock();
  const inner = memoryStorage({ clock });
  const memory = new Streaming(inner);
  const legacy = { until: clock.now() + 1e6 };
  const names = Array.from({ length: 130 }, (_, index) => `users/${index}`);
  /** A value says which version it is, so that a reader knows whether it got a whole one that was written. */
  const valueOf = (name: string, version: number): Bytes =>
    new TextEncoder().encode(`${name} ${version} `.repeat(1 + ((version * 37) % 90)));
  const versions = new Map(names.map((name) => [name, 0]));
  const old = encrypted({ keys: [first], clock, legacy })(memory);
  for (const [index, name] of names.entries()) await (index % 3 === 0 ? memory : old).put(name, valueOf(name, 0));

  const storage = encrypted({ keys: both, clock, legacy })(memory);
  const load = { running: true };
  const writer = async (): Promise<void> => {
    while (load.running) {
      const name = names[random(names.length)] as string;
      const version = (versions.get(name) as number) + 1;
      versions.set(name, version);
      // As during a deployment: some writers have the old key alone.
      await (random(2) === 0 ? storage : old).put(name, valueOf(name, version));
      for (let turn = random(4); turn > 0; turn--) await new Promise(setImmediate);
    }
  };
  const reader = async (): Promise<void> => {
    while (load.running) {
      const name = names[random(names.length)] as string;
      const value = random(2) === 0 ? await storage.get(name) : await collect(await storage.read(name));
      const version = Number(new TextDecoder().decode(value).split(" ")[1]);
      if (!same(value, valueOf(name, version))) expect.fail(`${name} is not what anybody wrote, seed ${start}`);
      await new Promise(setImmediate);
    }
  };
  const others = [writer(), reader(), reader()];
  let position: string | undefined;
  for (let done = false; !done;) {
    const stop = new AbortController();
    let until = 20 + random(150);
    try {
      await rewrite(storage, {
        position,
        signal: stop.signal,
        concurrency: 1 + random(8),
        onProgress(progress) {
          ({ position } = progress);
          if (--until === 0) stop.abort(new Error("interrupted"));
        },
      });
      done = true;
    } catch (error) {
      if (error !== stop.signal.reason) throw error;
    }
  }
  load.running = false;
  await Promise.all(others);
  await rewrite(storage); // what writers with the old key alone wrote behind it
  const alone = encrypted({ keys: [second], clock })(memory);
  for (const name of names) {
    expect(await idOf(memory, name)).toBe(second.id);
    if (!same(await alone.get(name), valueOf(name, versions.get(name) as number))) expect.fail(`${name} is old, seed ${start}`);
  }
}
