import assert from "node:assert/strict";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { metrics, metricsOf } from "@stowage/metrics";

const users = stack(memoryStorage(), metrics(), json<{ name: string }>(), metrics());
await users.put("ada", { name: "Ada" });
await users.get("ada");
assert.deepEqual(
  metricsOf(users).map(({ calls, parts }) => [calls, parts]),
  [
    [2, ["memory"]],
    [2, ["json"]],
  ],
);
