import assert from "node:assert/strict";
import { findLayer, json, stack } from "@stowage/core";
import { events, EventsStorage } from "@stowage/events";
import { memoryStorage } from "@stowage/memory";

const users = stack(memoryStorage(), json<{ name: string }>(), events());
const seen: string[] = [];
findLayer(users, EventsStorage)?.on("put", ({ key }) => seen.push(key));
await users.put("ada", { name: "Ada" });
assert.deepEqual(seen, ["ada"]);
