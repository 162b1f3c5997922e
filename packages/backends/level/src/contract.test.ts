import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStorage } from "@stowage/testing/contract";
import { levelStorage } from "./level-storage.ts";

for (const durability of ["power", "process"] as const) {
  describeStorage(`levelStorage, ${durability}`, {
    async create({ clock }) {
      const folder = await mkdtemp(join(tmpdir(), "stowage-level-"));
      const open = () => levelStorage({ directory: join(folder, "data"), clock, durability });
      return { storage: open(), reopen: open, cleanup: () => rm(folder, { recursive: true }) };
    },
  });
}
