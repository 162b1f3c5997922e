import KeyvRedis from "@keyv/redis";
import { KeyvSqlite } from "@keyv/sqlite";
import { describeStorage } from "@stowage/testing/contract";
import { redisServer, skipReason } from "@stowage-tools/servers";
import { afterAll, beforeAll, describe } from "vitest";
import type { KeyvAdapter } from "./index.ts";
import { keyvStorage } from "./index.ts";

describeStorage("keyvStorage over a Map", { create: ({ clock }) => keyvStorage({ store: new Map<string, string>(), clock }) });

describeStorage("keyvStorage over a Map without an iterator", {
  create({ clock }) {
    const map = new Map<string, string>();
    const store: KeyvAdapter = {
      get: (key) => map.get(key),
      set: (key, value) => map.set(key, value),
      delete: (key) => map.delete(key),
    };
    return keyvStorage({ store, clock });
  },
});

describeStorage("keyvStorage over @keyv/sqlite", {
  create: ({ clock }) => keyvStorage({ store: () => new KeyvSqlite("sqlite://:memory:"), clock, maxKeySize: 4_000 }),
});

const missing = skipReason("redis");
if (missing !== undefined && process.env["CI"] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)(`keyvStorage over @keyv/redis (${missing ?? "with a server of its own"})`, () => {
  let server: Awaited<ReturnType<typeof redisServer>>;
  let count = 0;
  beforeAll(async () => void (server = await redisServer()));
  afterAll(() => server?.stop());

  describeStorage("on a server", {
    create({ clock }) {
      const store = (): KeyvAdapter => new KeyvRedis(server.url);
      const namespace = `test${count++}`;
      const open = () => keyvStorage({ store, namespace, clock, shared: true });
      return { storage: open(), reopen: open };
    },
  });
});
