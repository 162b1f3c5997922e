import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteStorage } from "@stowage/sqlite";

const folder = await mkdtemp(join(tmpdir(), "stowage-use-"));
for (const thread of [false, true]) {
  const storage = sqliteStorage({ path: join(folder, "data.db"), thread });
  await storage.put(`key-${thread}`, new Uint8Array(300_000).fill(7), { ttl: 60_000, metadata: { from: "use" } });
  assert.equal((await storage.get(`key-${thread}`))?.byteLength, 300_000);
  await storage.close();
}
await rm(folder, { recursive: true });
