import { createClient } from "@redis/client";
import type { ByteStorage, StorageError } from "@stowage/core";
import { concatBytes, scan } from "@stowage/core";
import type { RedisServer } from "@stowage-tools/servers";
import { redisServer } from "@stowage-tools/servers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { waitBefore } from "./address.ts";
import type { RedisOptions } from "./redis-storage.ts";
import { RedisStorage } from "./redis-storage.ts";
import { chunkSize } from "./stored.ts";
import { startProxy } from "./testing/proxy.ts";
import { freshNamespace, needsRedis } from "./testing/servers.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
async function read(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream!) chunks.push(chunk);
  return concatBytes(chunks);
}
const large = (fill: number): Uint8Array<ArrayBuffer> => new Uint8Array(chunkSize * 3 + 7).fill(fill);

test("waits between attempts to connect double up to a cap, half of each by chance", () => {
  const waits = [0, 1, 5, 6, 1_000].map((attempt) => Array.from({ length: 200 }, () => waitBefore(attempt)));
  expect(waits.map((each) => Math.max(...each) <= 2_000 && new Set(each).size > 100)).toEqual([true, true, true, true, true]);
  expect(Math.max(...waits[0]!)).toBeLessThanOrEqual(50);
  expect(Math.min(...waits[4]!)).toBeGreaterThanOrEqual(1_000);
});

test("options that do not fit together are refused when the storage is made", () => {
  const refused = (options: RedisOptions): unknown => {
    try {
      return new RedisStorage(options);
    } catch (error) {
      return (error as StorageError).message;
    }
  };
  const cluster = ["redis://a:1"];
  expect(refused({ cluster, ordered: true })).toMatch("cannot keep an ordered index");
  expect(refused({ cluster, durability: "power" })).toMatch("a failover loses");
  expect(refused({ cluster, url: "redis://a:1" })).toMatch("only one of");
  expect(refused({ sentinel: { name: "a", urls: [] } })).toMatch("sentinel");
  expect(refused({ url: "http://a" })).toMatch("redis://");
  expect(refused({ url: "redis://user:secret@a:1" })).toMatch("options of their own");
  expect(refused({ namespace: "a{b}" })).toMatch("namespace");
  expect(refused({ waitReplicas: -1 })).toMatch("waitReplicas");
  expect(refused({ nmespace: "a" } as object)).toMatch('did you mean "namespace"');
});

test("secrets do not show", () => {
  const storage = new RedisStorage({
    sentinel: { name: "a", urls: ["redis://a:1"], password: "seen-1" },
    password: "seen-2",
    username: "ada",
  });
  expect(JSON.stringify(storage.details())).not.toContain("seen");
  expect(storage.details().options).toMatchObject({ username: "ada", password: "[redacted]" });
});

test("where nothing answers, calls fail at once and may be tried again", async () => {
  const storage = new RedisStorage({ url: "redis://127.0.0.1:1" });
  for (const call of [() => storage.get("key"), () => storage.put("key", bytes("a")), () => storage.get("key")]) {
    await expect(call()).rejects.toMatchObject({ code: "unavailable", retryable: true, outcome: "none", storage: "redis" });
  }
  await storage.close();
});

describe("on a server", needsRedis(), () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer();
  }, 30_000);
  afterAll(() => server?.stop());

  const open = (options: RedisOptions = {}): RedisStorage => {
    const storage = new RedisStorage({ url: server.url, namespace: freshNamespace(), ...options });
    onTestFinished(() => storage.close());
    return storage;
  };
  const raw = async () => {
    const client = createClient({ url: server.url });
    client.on("error", () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    return client;
  };
  /** Milliseconds that are left to each of the bodies; -1: it stays. */
  const bodies = async (namespace: string): Promise<number[]> => {
    const client = await raw();
    const names = await client.keys(`*:${namespace}:b{*`);
    return await Promise.all(names.map((name) => client.pTTL(name)));
  };

  test("a stream stays of the version that it was opened on, while that is replaced and removed", async () => {
    const storage = open();
    await storage.put("key", large(1));
    const streams = [await storage.read("key"), await storage.read("key", { start: chunkSize - 1, end: -1 })];
    await storage.put("key", large(2));
    const second = await storage.read("key");
    await storage.delete("key");
    expect(Buffer.compare(await read(streams[0]?.value), large(1))).toBe(0);
    expect(Buffer.compare(await read(streams[1]?.value), large(1).slice(chunkSize - 1, -1))).toBe(0);
    expect(Buffer.compare(await read(second?.value), large(2))).toBe(0);
  });

  test.for([
    ["a small value", (storage: ByteStorage) => storage.put("key", bytes("a"))],
    ["a value that is put by a script", (storage: ByteStorage) => storage.put("key", new Uint8Array(10_000))],
    [
      "a condition that holds",
      async (storage: ByteStorage) => storage.put("key", bytes("a"), { ifMatch: (await storage.head("key"))!.etag! }),
    ],
    ["another large value", (storage: ByteStorage) => storage.put("key", large(2))],
    ["a stream", (storage: ByteStorage) => storage.write("key", new Blob([large(2)]))],
    ["a delete", (storage: ByteStorage) => storage.delete("key")],
    ["a clear", (storage: ByteStorage) => storage.clear()],
    ["an atomic batch", (storage: ByteStorage) => storage.batch([{ type: "delete", key: "key" }], { atomic: true })],
    ["a put in the past", (storage: ByteStorage) => storage.put("key", bytes("a"), { expiresAt: 1 })],
  ] as const)("chunks go after their value was replaced by %s", async ([, replace]) => {
    for (const ordered of [false, true]) {
      const namespace = freshNamespace();
      const storage = open({ namespace, ordered });
      await storage.put("key", large(1));
      expect(await bodies(namespace)).toEqual([-1]);
      await replace(storage);
      const left = await bodies(namespace);
      expect(left.filter((life) => life > 0 && life <= 30_000)).toHaveLength(1);
      expect(left.filter((life) => life === -1).length).toBe((await storage.head("key"))?.size === large(2).length ? 1 : 0);
    }
  });

  test("chunks of a write that failed go at once, and those of one that expires with it", async () => {
    const namespace = freshNamespace();
    const storage = open({ namespace });
    const failing = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield large(1);
      throw new Error("no more");
    };
    await expect(storage.write("key", failing())).rejects.toThrow("no more");
    await storage.put("other", bytes("a"));
    await expect(storage.put("other", large(1), { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed" });
    await storage.put("short", large(1), { ttl: 5_000 });
    await expect.poll(() => bodies(namespace)).toHaveLength(1);
    const [life] = await bodies(namespace);
    expect(life).toBeGreaterThan(30_000);
    expect(life).toBeLessThanOrEqual(35_000);
  });

  test("gc lets go what no entry names, and nothing else", async () => {
    const namespace = freshNamespace();
    const storage = open({ namespace });
    const client = await raw();
    const keys = ["a", "}", "a}b{c", "[x]*"];
    for (const key of keys) await storage.put(key, large(1));
    const names = await client.keys(`*:${namespace}:e{*`);
    expect(await storage.gc()).toBe(0);
    await client.del(names.slice(0, 2));
    await client.set(names[2]!, (await client.get(names[3]!))!); // names another one's chunks
    expect(await storage.gc()).toBe(3);
    expect((await bodies(namespace)).toSorted((a, b) => a - b)).toEqual([
      -1,
      ...Array.from({ length: 3 }, () => expect.any(Number) as number),
    ]);
    expect(await storage.gc()).toBe(0);
  });

  test("a value whose chunks were evicted is corrupt, and a stream of it fails", async () => {
    const namespace = freshNamespace();
    const storage = open({ namespace });
    await storage.put("key", large(1));
    const client = await raw();
    await client.del(await client.keys(`*:${namespace}:b{*`));
    await expect(storage.get("key")).rejects.toMatchObject({ code: "corrupt", key: "key" });
    const entry = await storage.read("key");
    await expect(read(entry?.value)).rejects.toMatchObject({ code: "conflict" });
  });

  test("what another program put under a name of ours is corrupt, not a value", async () => {
    const namespace = freshNamespace();
    const storage = open({ namespace });
    await storage.put("key", bytes("a"));
    const client = await raw();
    const [name] = await client.keys(`*:${namespace}:e{*`);
    for (const text of ["", "x", "CC", "C\u0000\u0001", "hello there, this is no record"]) {
      await client.set(name!, text);
      for (const call of [() => storage.get("key"), () => storage.getEntry("key"), () => storage.read("key")]) {
        if (text !== "") await expect(call()).rejects.toMatchObject({ code: expect.stringMatching(/corrupt|unsupported/) });
      }
    }
    await client.del(name!);
    await client.lPush(name!, "a");
    for (const call of [() => storage.get("key"), () => storage.put("key", bytes("a")), () => storage.head("key")]) {
      await expect(call()).rejects.toMatchObject({ code: "corrupt", outcome: "none" });
    }
  });

  test("namespaces that begin alike share nothing, and patterns are taken as they are", async () => {
    const name = freshNamespace();
    const one = open({ namespace: name });
    const others = [
      open({ namespace: `${name}:archive` }),
      open({ namespace: `${name}:e` }),
      open({ namespace: `${name.length}:${name}` }),
    ];
    for (const storage of [one, ...others]) await storage.put("a*b", bytes("a"));
    await one.put("axb", bytes("a"));
    await one.put("a[b]", bytes("a"));
    expect((await one.list({ prefix: "a*" })).entries).toEqual([{ key: "a*b" }]);
    expect((await one.list({ prefix: "a[" })).entries).toEqual([{ key: "a[b]" }]);
    await one.clear();
    for (const storage of others) expect(await storage.has("a*b")).toBe(true);
    expect((await one.list()).entries).toEqual([]);
  });

  test("a cursor that no list gave is refused", async () => {
    for (const storage of [open(), open({ ordered: true })]) {
      for (const cursor of ["", "x", "[]", '["",-1]', '["","0",1]', "null"]) {
        await expect(storage.list({ cursor })).rejects.toMatchObject({ code: "invalid-option" });
      }
    }
  });

  test("a namespace with an index cannot be used without it, nor the other way round", async () => {
    const namespace = freshNamespace();
    await open({ namespace, ordered: true }).put("key", bytes("a"));
    await expect(open({ namespace }).get("key")).rejects.toMatchObject({ code: "config", operation: "get" });
    const plain = freshNamespace();
    await open({ namespace: plain }).put("key", bytes("a"));
    await expect(open({ namespace: plain, ordered: true }).list()).rejects.toMatchObject({ code: "config", operation: "list" });
  });

  test("the index forgets what has expired when it is listed", async () => {
    const namespace = freshNamespace();
    const storage = open({ namespace, ordered: true });
    await storage.put("long", bytes("a"));
    await storage.put("short", bytes("a"), { ttl: 1 });
    const client = await raw();
    const index = `${namespace.length}:${namespace}:index`;
    await expect.poll(async () => (await storage.list()).entries).toEqual([{ key: "long" }]);
    expect(await client.zRange(index, 0, -1)).toEqual(["long"]);
  });

  test("a long list is given in order, by pages that continue each other", async () => {
    const storage = open({ ordered: true });
    const keys = Array.from({ length: 2_500 }, (_, index) => `folder-${index % 50}/key-${index}`);
    await storage.batch(keys.map((key) => ({ type: "put", key, value: bytes("a") })));
    const listed: string[] = [];
    for await (const { key } of scan(storage)) listed.push(key);
    expect(listed).toEqual(keys.toSorted());
    expect((await storage.list({ delimiter: "/", limit: 50 })).prefixes).toHaveLength(50);
    await storage.clear({ prefix: "folder-1" });
    expect((await storage.list({ delimiter: "/" })).prefixes).toHaveLength(39);
  });

  test("no command looks at all keys or removes those of others", async () => {
    const client = await raw();
    await client.sendCommand(["CONFIG", "RESETSTAT"]);
    const storage = open();
    await storage.put("key", large(1));
    await storage.batch([{ type: "put", key: "a", value: bytes("a") }], { atomic: true });
    await storage.list({ info: true });
    await storage.clear();
    const used = await client.info("commandstats");
    expect(used).toMatch(/cmdstat_scan.*cmdstat_unlink|cmdstat_unlink[^]*cmdstat_scan|cmdstat_scan[^]*cmdstat_unlink/);
    expect(used).not.toMatch(/cmdstat_(keys|flushdb|flushall|del):/);
  });

  test("a server that forgot the scripts gets them again", async () => {
    const storage = open();
    await storage.put("key", bytes("a"), { ifNoneMatch: "*" });
    const client = await raw();
    await client.scriptFlush();
    await expect(storage.put("key", bytes("b"), { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed" });
  });

  test("a durability that the server does not keep is refused when it is opened", async () => {
    for (const durability of ["process", "power"] as const) {
      await expect(open({ durability }).get("key")).rejects.toMatchObject({ code: "config", operation: "get", retryable: false });
    }
    expect(open().capabilities.durability).toBe("memory");
  });

  test("a password that is missing is denied", async () => {
    const client = await raw();
    await client.sendCommand(["ACL", "SETUSER", "reader", "on", ">right", "~*", "+@all", "-@write"]);
    await expect(open({ username: "reader", password: "wrong" }).get("key")).rejects.toMatchObject({ code: "denied" });
    await expect(open({ username: "reader", password: "right" }).get("key")).rejects.toMatchObject({ code: "denied" });
  });

  test("a write that no replica confirms may have happened", async () => {
    const storage = open({ waitReplicas: 1, commandTimeout: 250 });
    const writes = [storage.put("a", bytes("a")), storage.put("b", large(1)), storage.delete("c")];
    for (const result of await Promise.allSettled(writes)) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "unavailable", outcome: "unknown" } });
    }
    expect(await storage.get("a")).toEqual(bytes("a"));
  });

  test("a lock is held by one, and every token is greater than those before", async () => {
    const [one, two] = [open({ namespace: "locks" }), open({ namespace: "locks" })];
    const first = (await one.lock("job", 10_000))!;
    expect(await two.lock("job", 10_000)).toBeUndefined();
    expect(await two.lock("other", 10_000)).toBeDefined();
    await first.extend(20_000);
    await first.release();
    const second = (await two.lock("job", 5))!;
    expect(second.token).toBeGreaterThan(first.token);
    await first.release(); // not its own any more
    await expect(first.extend(1_000)).rejects.toMatchObject({ code: "precondition-failed", key: "job" });
    let third = await one.lock("job", 60_000);
    await expect.poll(async () => (third ??= await one.lock("job", 60_000))?.token).toBeGreaterThan(second.token);
    await expect(second.extend(1_000)).rejects.toMatchObject({ code: "precondition-failed" });
    for (const ttl of [0, -1, Number.NaN, Infinity]) await expect(one.lock("job", ttl)).rejects.toMatchObject({ code: "invalid-option" });
    await expect(one.lock("", 1)).rejects.toMatchObject({ code: "invalid-key" });
    expect(await one.has("job")).toBe(false);
  });

  test("tokens grow although the last one was from a clock that ran ahead", async () => {
    const storage = open({ namespace: "fast-clock" });
    const client = await raw();
    const ahead = (Date.now() + 86_400_000) * 1_000;
    await client.set("10:fast-clock:t{:job}", String(ahead));
    expect((await storage.lock("job", 1_000))?.token).toBe(ahead + 1);
  });

  describe("behind a connection that fails", () => {
    const behindProxy = async (options: RedisOptions = {}) => {
      const proxy = await startProxy(server.port);
      onTestFinished(() => proxy.close());
      const storage = open({ url: proxy.url, ...options });
      await storage.put("key", bytes("old"));
      return { proxy, storage };
    };

    test("a write whose answer was lost may have happened, a read has not", async () => {
      const { proxy, storage } = await behindProxy();
      proxy.losing = true;
      const isLost = proxy.lost();
      const calls = [
        storage.put("key", bytes("new")),
        storage.delete("gone"),
        storage.put("key", bytes("x"), { ifNoneMatch: "*" }),
        storage.get("key"),
      ];
      const results = Promise.allSettled(calls);
      await isLost;
      proxy.losing = false;
      proxy.cut();
      const outcomes = (await results).map((result) => (result.status === "rejected" ? (result.reason as StorageError) : undefined));
      expect(outcomes.map((error) => error?.code)).toEqual(["unavailable", "unavailable", "unavailable", "unavailable"]);
      expect(outcomes.map((error) => error?.outcome)).toEqual(["unknown", "unknown", "unknown", "none"]);
    });

    test("a stream whose chunk was lost fails at once and lets its source go, although that is idle for ever", async () => {
      for (const signal of [undefined, new AbortController().signal]) {
        const { proxy, storage } = await behindProxy();
        proxy.losing = true;
        const isLost = proxy.lost();
        const cancelled = Promise.withResolvers<unknown>();
        const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
          start: (controller) => controller.enqueue(large(1)),
          cancel: cancelled.resolve,
        });
        const written = storage.write("key", source, { signal }).catch((error: unknown) => error);
        await isLost;
        proxy.losing = false;
        proxy.cut();
        const error = await written;
        expect(error).toMatchObject({ code: "unavailable", outcome: "none", operation: "write", key: "key" });
        expect(await cancelled.promise).toBe(error);
        await expect.poll(() => storage.get("key").catch(() => undefined)).toEqual(bytes("old"));
      }
    });

    test("nothing is queued while there is no connection, nothing is sent again, and the next connection is used", async () => {
      const { proxy, storage } = await behindProxy();
      proxy.losing = true;
      const isLost = proxy.lost();
      const lost = storage.put("key", bytes("first")).catch((error: unknown) => error);
      await isLost;
      proxy.losing = false;
      proxy.cut();
      expect(await lost).toMatchObject({ outcome: "unknown" });
      expect(await storage.put("key", bytes("offline")).catch((error: unknown) => error)).toMatchObject({
        code: "unavailable",
        outcome: "none",
      });
      await open({ namespace: String(storage.details().options["namespace"]) }).put("key", bytes("between"));
      await expect.poll(() => storage.get("key").catch(() => undefined)).toEqual(bytes("between"));
      expect(storage.details().stats).toEqual({ reconnects: 1 });
    });

    test("a call ends in time although the connection looks alive, which is then made anew", async () => {
      const { proxy, storage } = await behindProxy({ commandTimeout: 100 });
      proxy.losing = true;
      const results = await Promise.allSettled([storage.get("key"), storage.put("key", bytes("new"))]);
      expect(results).toMatchObject([
        { reason: { code: "timeout", outcome: "none" } },
        { reason: { code: "timeout", outcome: "unknown" } },
      ]);
      proxy.losing = false;
      await expect.poll(() => storage.get("key").catch(() => undefined)).toEqual(bytes("new"));
    });

    test("a storage without a connection closes", async () => {
      const { proxy, storage } = await behindProxy();
      await proxy.close();
      await storage.close();
      await expect(storage.get("key")).rejects.toMatchObject({ code: "closed" });
    });
  });
});
