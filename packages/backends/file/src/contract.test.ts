import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStorage } from "@stowage/testing/contract";
import type { FileOptions } from "./file-storage.ts";
import { fileStorage } from "./file-storage.ts";

const kinds: Omit<FileOptions, "directory">[] = [
  { layout: "tree", durability: "power" },
  { layout: "tree", durability: "process" },
  { layout: "encoded", durability: "power" },
  { layout: "encoded", durability: "process" },
  { layout: "tree", durability: "process", io: "pool" },
];

for (const options of kinds) {
  describeStorage(`fileStorage(${JSON.stringify(options)})`, {
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), "stowage-file-"));
      const open = () => fileStorage({ directory, clock, ...options });
      return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
    },
  });
}
