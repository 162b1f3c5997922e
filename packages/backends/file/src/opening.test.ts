import { expect, test } from "vitest";
import { fileStorage } from "./index.ts";

test.runIf(process.platform === "linux")("a folder that cannot be made is refused in words, and not tried for ever", async () => {
  for (const directory of ["/proc/stowage", "/proc/stowage/deeper/still", "/dev/null/stowage"]) {
    const storage = fileStorage({ directory });
    await expect(storage.put("key", new Uint8Array(1))).rejects.toMatchObject({ name: "StorageError", outcome: "none" });
    await expect(storage.get("key")).rejects.toMatchObject({ name: "StorageError" });
    await storage.close();
  }
});
