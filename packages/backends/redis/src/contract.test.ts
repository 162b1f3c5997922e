import { describeStorage } from "@stowage/testing/contract";
import type { CreatedStorage } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe } from "vitest";
import type { RedisServer } from "@stowage-tools/servers";
import { redisServer } from "@stowage-tools/servers";
import type { RedisOptions } from "./redis-storage.ts";
import { redisStorage } from "./redis-storage.ts";
import { freshNamespace, needsRedis, serverTime } from "./testing/servers.ts";

describe("redis", needsRedis(), () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer();
  });
  afterAll(() => server?.stop());

  const create = (options: RedisOptions) => (): CreatedStorage => {
    const namespace = freshNamespace();
    const open = () => redisStorage({ url: server.url, namespace, ...options });
    return { storage: open(), reopen: open, time: serverTime };
  };
  describeStorage("redisStorage()", { create: create({}) });
  describeStorage("redisStorage({ ordered: true })", { create: create({ ordered: true }) });
});
