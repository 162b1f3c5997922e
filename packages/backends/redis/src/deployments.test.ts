import { describeStorage } from "@stowage/testing/contract";
import type { CreatedStorage } from "@stowage/testing/contract";
import { createClient } from "@redis/client";
import type { RedisCluster, RedisSentinel, RedisServer } from "@stowage-tools/servers";
import { redisCluster, redisSentinel, redisServer } from "@stowage-tools/servers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisBus } from "./bus.ts";
import type { RedisOptions } from "./redis-storage.ts";
import { RedisStorage, redisStorage } from "./redis-storage.ts";
import { freshNamespace, needsRedis, serverTime } from "./testing/servers.ts";

const isFull = process.env["STOWAGE_EFFORT"] === "full";
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

const pause = (duration: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, duration));

describe("a server with an append-only file", { timeout: 600_000, ...needsRedis() }, () => {
  const kills = isFull ? 200 : 3;

  test(`loses no acknowledged write by ${kills} times kill -9`, async () => {
    const server = await redisServer({ durable: true });
    onTestFinished(() => server.stop());
    const options: RedisOptions = { url: server.url, namespace: "killed", durability: "power" };
    const storage = redisStorage(options);
    onTestFinished(() => storage.close());
    const large = new Uint8Array(300_000);
    /** The version of each key that was acknowledged last, and that which was sent last. */
    const acknowledged = new Map<string, number>();
    const sent = new Map<string, number>();
    const stop = new AbortController();
    const write = async (key: string): Promise<void> => {
      for (let version = 1; !stop.signal.aborted; version++) {
        sent.set(key, version);
        const value = key === "large" ? large.fill(version % 256) : bytes(String(version));
        try {
          await storage.put(key, value, { metadata: { version: String(version) } });
          acknowledged.set(key, version);
          if (key === "large") await pause(50); // what is written here is read at each start
        } catch (error) {
          expect(error).toMatchObject({ code: "unavailable" });
          await pause(5);
        }
      }
    };
    onTestFinished(() => stop.abort());
    await keepFile(server);
    const keys = ["a", "b", "c", "large"];
    const writers = keys.map(write);
    /** Waits until each key was written again, by connections that found the server after it was killed. */
    const allGoOn = async (): Promise<void> => {
      const start = new Map(acknowledged);
      const goesOn = (key: string): boolean => (acknowledged.get(key) ?? 0) > (start.get(key) ?? 0) + 1;
      await expect.poll(() => keys.every(goesOn)).toBe(true);
    };
    for (let count = 0; count < kills; count++) {
      await allGoOn();
      const before = new Map(acknowledged);
      await server.kill();
      await server.start();
      await keepFile(server);
      const fresh = redisStorage(options);
      for (const [key, version] of before) {
        const entry = await fresh.getEntry(key);
        const found = Number(entry?.metadata?.["version"]);
        expect(found).toBeGreaterThanOrEqual(version);
        expect(found).toBeLessThanOrEqual(sent.get(key)!);
        if (key === "large") expect(entry?.value.every((byte) => byte === found % 256)).toBe(true);
        else expect(text(entry?.value)).toBe(String(found));
      }
      await fresh.close();
    }
    await allGoOn();
    stop.abort();
    await Promise.all(writers);
  });
});

/**
 * Redis 7.0 may refuse to start where it was killed while it began a new file: "the truncated file is not the last file".
 * What is looked at here is what it has acknowledged, not how it tidies up.
 */
async function keepFile({ url }: RedisServer): Promise<void> {
  const client = await createClient({ url }).connect();
  await client.configSet("auto-aof-rewrite-percentage", "0");
  client.destroy();
}

describe("a primary that sentinels watch", { timeout: 120_000, ...needsRedis() }, () => {
  let sentinels: RedisSentinel;
  beforeAll(async () => {
    sentinels = await redisSentinel();
  });
  afterAll(() => sentinels?.stop());

  test("after a failover, storages and buses go on with the new primary, and what replicas confirmed is there", async () => {
    const urls = sentinels.sentinels.map(({ host, port }) => `redis://${host}:${port}`);
    const sentinel = { name: sentinels.name, urls: ["redis://127.0.0.1:1", ...urls] };
    const storage = new RedisStorage({ sentinel, waitReplicas: 1 });
    const bus = redisBus({ sentinel, channel: "failover" });
    onTestFinished(async () => void (await Promise.all([storage.close(), bus.close()])));
    const heard: unknown[] = [];
    bus.subscribe((message) => heard.push(message));
    await expect.poll(() => heard).toHaveLength(1);
    for (let index = 0; index < 50; index++) await storage.put(`key-${index}`, bytes(String(index)));
    await sentinels.killPrimary();
    const before = heard.length;
    await expect(storage.put("key", bytes("a"))).rejects.toMatchObject({ code: "unavailable" });
    await expect.poll(() => storage.get("key-0").then(text, () => undefined), { timeout: 60_000 }).toBe("0");
    for (let index = 0; index < 50; index++) expect(text(await storage.get(`key-${index}`))).toBe(String(index));
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBeGreaterThan(before);
    // The new primary has no replica, which a write is told.
    await expect(storage.put("key", bytes("a"))).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
    const plain = new RedisStorage({ sentinel });
    onTestFinished(() => plain.close());
    await plain.put("key", bytes("b"));
    await bus.publish({ sender: "a", keys: ["b"] });
    await expect.poll(() => heard.at(-1)).toEqual({ sender: "a", keys: ["b"] });
  });
});

describe("a cluster of three", { timeout: 120_000, ...needsRedis() }, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await redisCluster();
  });
  afterAll(() => cluster?.stop());

  const open = (options: RedisOptions = {}): RedisStorage => {
    const urls = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`);
    const storage = new RedisStorage({ cluster: urls, namespace: freshNamespace(), ...options });
    onTestFinished(() => storage.close());
    return storage;
  };

  test("spreads keys, keeps each with its chunks on one node, and lists all", async () => {
    const storage = open();
    const keys = [...Array.from({ length: 60 }, (_, index) => `key-${index}`), "}", "}{", "a{b}c", "{}", "{", "a}b"];
    await storage.batch(keys.map((key) => ({ type: "put", key, value: bytes(key) })));
    await storage.batch(keys.slice(50).map((key) => ({ type: "put", key, value: new Uint8Array(300_000).fill(key.length) })));
    for (const key of keys.slice(50)) {
      expect((await storage.get(key))?.every((byte) => byte === key.length)).toBe(true);
      await storage.put(key, bytes(key), { ifMatch: (await storage.head(key))!.etag! });
      expect(text(await storage.get(key))).toBe(key);
    }
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.list({ limit: 7, cursor });
      expect(page.entries.length).toBeLessThanOrEqual(7);
      listed.push(...page.entries.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect([...new Set(listed)].toSorted()).toEqual(keys.toSorted());
    expect((await storage.getEntries(keys)).map((entry) => text(entry?.value))).toEqual(keys);
    await storage.clear();
    expect((await storage.list()).entries).toEqual([]);
  });

  test("takes locks, and no atomic batches", async () => {
    const storage = open();
    expect((await storage.lock("job", 10_000))?.token).toBeGreaterThan(0);
    expect(await storage.lock("job", 10_000)).toBeUndefined();
    expect(storage.capabilities.atomicBatch).toBe(false);
    await expect(storage.batch([{ type: "delete", key: "a" }], { atomic: true })).rejects.toMatchObject({ code: "unsupported" });
  });

  test("has a bus whose messages reach the subscribers of all nodes", async () => {
    const urls = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`);
    const buses = urls.map((url) => redisBus({ cluster: [url], channel: "all" }));
    onTestFinished(async () => void (await Promise.all(buses.map((bus) => bus.close()))));
    const heard = buses.map(() => new Array<unknown>());
    for (const [index, bus] of buses.entries()) bus.subscribe((message) => heard[index]!.push(message));
    await expect.poll(() => heard.map(({ length }) => length)).toEqual([1, 1, 1]);
    await buses[0]!.publish({ sender: "a", keys: ["b"] });
    await expect.poll(() => heard.map((messages) => messages[1])).toEqual(heard.map(() => ({ sender: "a", keys: ["b"] })));
  });

  test("fails only the keys of a node that died, at once, and fails to open where no node answers", async () => {
    const nobody = open({ cluster: ["redis://127.0.0.1:1", "redis://127.0.0.1:2"] });
    await expect(nobody.get("key")).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    const own = await redisCluster();
    onTestFinished(() => own.stop());
    const storage = open({ cluster: own.nodes.map(({ host, port }) => `redis://${host}:${port}`) });
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`);
    await storage.batch(keys.map((key) => ({ type: "put", key, value: bytes(key) })));
    await own.server.kill(`node-${own.nodes[0]!.port}`);
    const look = async () => await Promise.allSettled(keys.map((key) => storage.get(key)));
    await expect.poll(async () => (await look()).some(({ status }) => status === "rejected")).toBe(true);
    const results = await look();
    const failed = results.filter((result) => result.status === "rejected");
    expect(failed.length).toBeLessThan(40);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: "unavailable" });
    await expect(storage.list()).rejects.toMatchObject({ code: "unavailable" });
  });

  if (isFull) {
    describeStorage("redisStorage({ cluster })", {
      create: (): CreatedStorage => {
        const namespace = freshNamespace();
        const urls = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`);
        const make = () => redisStorage({ cluster: urls, namespace });
        return { storage: make(), reopen: make, time: serverTime };
      },
    });
  }
});
