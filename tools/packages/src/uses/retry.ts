import assert from "node:assert/strict";
import { findLayer, json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { retry, RetryStorage } from "@stowage/retry";

const users = stack(memoryStorage(), retry({ attempts: 2 }), json<{ name: string }>());
await users.put("ada", { name: "Ada" });
assert.deepEqual(await users.get("ada"), { name: "Ada" });
assert.equal(findLayer(users, RetryStorage)?.details().stats["retries"], 0);
