import { createClient } from "@redis/client";
import { borrowed, findLayer, json, stack } from "@stowage/core";
import type { Bus } from "@stowage/cached";
import { cached, CachedStorage } from "@stowage/cached";
import type { RedisServer } from "@stowage-tools/servers";
import { redisServer } from "@stowage-tools/servers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { RedisBus, RedisBusMessage } from "./bus.ts";
import { redisBus } from "./bus.ts";
import { redisStorage } from "./redis-storage.ts";
import { startProxy } from "./testing/proxy.ts";
import { freshNamespace, needsRedis } from "./testing/servers.ts";

test("a bus that nothing answers fails no subscription, and tells who publishes", async () => {
  const bus: Bus = redisBus({ url: "redis://127.0.0.1:1", channel: "a" });
  const stop = bus.subscribe(() => {});
  await expect(bus.publish({ sender: "a", keys: ["b"] })).rejects.toMatchObject({ code: "unavailable" });
  stop();
  await (bus as RedisBus).close();
  await expect(bus.publish({ sender: "a", keys: ["b"] })).rejects.toMatchObject({ code: "closed" });
});

test("a bus without a channel, or with an option that it does not have, is refused", () => {
  expect(() => redisBus({} as never)).toThrow(/channel/);
  expect(() => redisBus({ channel: "a", namespace: "b" } as never)).toThrow(/namespace/);
});

describe("on a server", needsRedis(), () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer();
  });
  afterAll(() => server?.stop());

  const open = (channel: string, url = server.url) => {
    const bus = redisBus({ url, channel });
    onTestFinished(() => bus.close());
    const heard: RedisBusMessage[] = [];
    const stop = bus.subscribe((message) => heard.push(message));
    return { bus, heard, stop };
  };
  const gap = { sender: "", prefix: "" };

  test("what is published reaches all who share the channel, until they leave", async () => {
    const channel = freshNamespace();
    const [one, two, other] = [open(channel), open(channel), open(freshNamespace())];
    for (const { heard } of [one, two, other]) await expect.poll(() => heard).toEqual([gap]);
    const message = { sender: "one", keys: ["a", "é\n"] };
    await one.bus.publish(message);
    for (const { heard } of [one, two]) await expect.poll(() => heard).toEqual([gap, message]);
    two.stop();
    await one.bus.publish({ sender: "one", prefix: "b" });
    await expect.poll(() => one.heard).toHaveLength(3);
    expect([two.heard.length, other.heard]).toEqual([2, [gap]]);
  });

  test("after a new connection everybody is told to forget all, and hears again", async () => {
    const channel = freshNamespace();
    const proxy = await startProxy(server.port);
    onTestFinished(() => proxy.close());
    const [cut, kept] = [open(channel, proxy.url), open(channel)];
    await expect.poll(() => [cut.heard.length, kept.heard.length]).toEqual([1, 1]);
    proxy.cut();
    await kept.bus.publish({ sender: "kept", keys: ["missed"] });
    await expect.poll(() => cut.heard).toEqual([gap, gap]);
    await kept.bus.publish({ sender: "kept", keys: ["heard"] });
    await expect.poll(() => cut.heard.at(-1)).toEqual({ sender: "kept", keys: ["heard"] });
    await cut.bus.publish({ sender: "cut", keys: ["said"] });
    await expect.poll(() => kept.heard.at(-1)).toEqual({ sender: "cut", keys: ["said"] });
  });

  test("rubbish on the channel, and a listener that throws, harm nobody", async () => {
    const channel = freshNamespace();
    const { bus, heard } = open(channel);
    bus.subscribe(() => {
      throw new Error("broken");
    });
    await expect.poll(() => heard).toEqual([gap]);
    const client = await createClient({ url: server.url }).connect();
    onTestFinished(() => client.destroy());
    await client.publish(`stowage:bus:${channel}`, "{no json");
    await bus.publish({ sender: "a", keys: ["b"] });
    await expect.poll(() => heard).toEqual([gap, { sender: "a", keys: ["b"] }]);
  });

  test("caches over one Redis see what another has written, and only keys travel", async () => {
    const channel = freshNamespace();
    const spy = open(channel);
    const storage = redisStorage({ url: server.url, namespace: channel });
    onTestFinished(() => storage.close());
    const make = async () => {
      const { bus, heard } = open(channel);
      await expect.poll(() => heard).toEqual([gap]);
      const users = stack(storage, borrowed(), json<{ name: string }>(), cached({ bus, ttl: 600_000 }));
      onTestFinished(() => users.close());
      return users;
    };
    const [one, two] = [await make(), await make()];
    await one.put("ada", { name: "Ada" });
    const look = async () => [await two.get("ada"), findLayer(two, CachedStorage)?.stats().entries];
    await expect.poll(look).toEqual([{ name: "Ada" }, 1]);
    await one.put("ada", { name: "Ada Lovelace" });
    await expect.poll(() => two.get("ada")).toEqual({ name: "Ada Lovelace" });
    expect(JSON.stringify(spy.heard)).not.toContain("Lovelace");
    expect(spy.heard).toContainEqual(expect.objectContaining({ keys: ["ada"] }));
  });
});
