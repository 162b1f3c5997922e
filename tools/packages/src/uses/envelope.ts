import assert from "node:assert/strict";
import { prefixed, stack } from "@stowage/core";
import { envelope, scrub } from "@stowage/envelope";
import { memoryStorage } from "@stowage/memory";

const memory = memoryStorage();
const files = stack(memory, prefixed("files/"), envelope());
await files.put("a", new Uint8Array([1, 2, 3]), { ttl: 60_000, metadata: { "content-type": "text/plain" } });
assert.deepEqual(await files.get("a"), new Uint8Array([1, 2, 3]));
assert.equal((await files.head("a"))?.metadata?.["content-type"], "text/plain");
assert.ok((await memory.head("files/a"))!.size! > 3);
assert.equal((await scrub(files)).damaged, 0);
