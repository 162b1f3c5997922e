import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStorage } from "@stowage/file";

const directory = await mkdtemp(join(tmpdir(), "stowage-use-"));
try {
  const files = fileStorage({ directory });
  await files.put("a/b.txt", new TextEncoder().encode("hello"));
  await files.write("large", new Blob([new Uint8Array(100_000)]));
  assert.equal(await readFile(join(directory, "a/b.txt"), "utf8"), "hello");
  assert.deepEqual(
    (await files.list()).entries.map(({ key }) => key),
    ["a/b.txt", "large"],
  );
  assert.equal((await files.read("large", { start: -10 }))?.size, 100_000);
  await files.close();

  const again = fileStorage({ directory });
  assert.equal(new TextDecoder().decode(await again.get("a/b.txt")), "hello");
  await again.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
