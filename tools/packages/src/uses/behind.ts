import assert from "node:assert/strict";
import { stack } from "@stowage/core";
import { behind } from "@stowage/behind";
import { memoryStorage } from "@stowage/memory";

const [memory, journal] = [memoryStorage(), memoryStorage()];
const files = stack(memory, behind({ journal }));
await files.put("a", new Uint8Array([1]));
assert.deepEqual(await files.get("a"), new Uint8Array([1]));
await files.flush();
assert.deepEqual(await memory.get("a"), new Uint8Array([1]));
