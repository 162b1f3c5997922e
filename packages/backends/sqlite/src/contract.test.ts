import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStorage } from "@stowage/testing/contract";
import type { SqliteOptions } from "./options.ts";
import { sqliteStorage } from "./sqlite-storage.ts";

// Each storage with a thread starts one, which takes its time: those run with the long forms.
const kinds: Omit<SqliteOptions, "path">[] = [
  { durability: "power" },
  { durability: "process" },
  ...(process.env["STOWAGE_EFFORT"] === "full" ? [{ durability: "power", thread: true } as const] : []),
];

for (const options of kinds) {
  describeStorage(`sqliteStorage(${JSON.stringify(options)})`, {
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), "stowage-sqlite-"));
      const open = () => sqliteStorage({ path: join(directory, "data.db"), clock, ...options });
      return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
    },
  });
}
