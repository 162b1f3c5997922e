import type { RedisServer } from "@stowage-tools/servers";
import { redisServer } from "@stowage-tools/servers";
import type { ModelSubject } from "@stowage/testing/contract";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe } from "vitest";
import type { RedisOptions } from "./redis-storage.ts";
import { RedisStorage } from "./redis-storage.ts";
import { freshNamespace, needsRedis } from "./testing/servers.ts";

describe("redis", needsRedis(), () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer();
  });
  afterAll(() => server?.stop());

  const onServer =
    (options: RedisOptions = {}): ModelSubject["create"] =>
    () => {
      const namespace = freshNamespace();
      const open = () => withoutExpiry(new RedisStorage({ url: server.url, namespace, ...options }));
      return { storage: open(), reopen: open };
    };

  describeModel("redisStorage", { create: onServer(), runs: 50 });
  describeModel("redisStorage({ ordered: true })", { create: onServer({ ordered: true }), runs: 50 });
  describeLinearizable("redisStorage, by two clients of one namespace", { create: onServer(), runs: 20 });
});

/** The model moves a clock that a server does not know. What expires is looked at by the contract. */
function withoutExpiry(storage: RedisStorage): RedisStorage {
  return Object.assign(storage, { capabilities: { ...storage.capabilities, ttl: false } });
}
