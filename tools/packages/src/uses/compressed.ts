import assert from "node:assert/strict";
import { compressed } from "@stowage/compressed";
import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

for (const codec of ["zstd", "gzip", "brotli"] as const) {
  const memory = memoryStorage();
  const texts = stack(memory, compressed({ codec }));
  const text = new TextEncoder().encode("the same again, ".repeat(1000));
  await texts.put("text", text);
  assert.deepEqual(await texts.get("text"), text);
  assert.ok(((await memory.head("text"))?.size ?? Infinity) < text.byteLength / 10);
}
