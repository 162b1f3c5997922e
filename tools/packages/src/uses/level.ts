import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { levelStorage } from "@stowage/level";

const folder = await mkdtemp(join(tmpdir(), "stowage-use-"));
const storage = levelStorage({ directory: join(folder, "data") });
await storage.put("a", new Uint8Array([1, 2, 3]), { ttl: 60_000, metadata: { from: "use" } });
assert.deepEqual(await storage.get("a"), new Uint8Array([1, 2, 3]));
assert.equal((await storage.head("a"))?.metadata?.["from"], "use");
await storage.close();
await rm(folder, { recursive: true });
