import assert from "node:assert/strict";
import { composite } from "@stowage/composite";
import { memoryStorage } from "@stowage/memory";

const [one, two] = [memoryStorage(), memoryStorage()];
const both = composite({ replicas: { one, two } });
await both.put("a", new Uint8Array([1]));
for (const replica of [one, two]) assert.deepEqual(await replica.get("a"), new Uint8Array([1]));
