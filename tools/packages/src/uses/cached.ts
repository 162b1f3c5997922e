import assert from "node:assert/strict";
import { cached, CachedStorage } from "@stowage/cached";
import { findLayer, json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

const users = stack(memoryStorage(), json<{ name: string }>(), cached({ maxEntries: 10 }));
await users.put("ada", { name: "Ada" });
assert.deepEqual(await users.get("ada"), { name: "Ada" });
assert.deepEqual(await users.get("ada"), { name: "Ada" });
assert.ok((findLayer(users, CachedStorage)?.details().stats["hits"] ?? 0) > 0);
