import assert from "node:assert/strict";
import { stack } from "@stowage/core";
import { encrypted } from "@stowage/encrypted";
import { memoryStorage } from "@stowage/memory";

const memory = memoryStorage();
const files = stack(memory, encrypted({ keys: [{ id: "2026", secret: new Uint8Array(32).fill(7) }] }));
const secret = new TextEncoder().encode("nobody is to read this");
await files.put("a", secret);
assert.deepEqual(await files.get("a"), secret);
assert.ok(!Buffer.from((await memory.get("a"))!).includes("nobody"));
