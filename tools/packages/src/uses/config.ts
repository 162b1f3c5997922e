import assert from "node:assert/strict";
import { ConfigError, parseStorages } from "@stowage/config";

const storages = await parseStorages(`
storages:
  users:
    backend:
      memory: {}
    layers:
      - json
`);
const users = storages.get<{ name: string }>("users");
await users.put("ada", { name: "Ada" });
assert.deepEqual(await users.get("ada"), { name: "Ada" });
await storages.close();

await assert.rejects(
  parseStorages("storages: { users: { backend: { memori: {} } } }"),
  (error) => error instanceof ConfigError && error.message.includes("memory"),
);
