import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelSubject } from "@stowage/testing/contract";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import type { FileOptions } from "./file-storage.ts";
import { fileStorage } from "./file-storage.ts";

const inFolder =
  (options: Omit<FileOptions, "directory">): ModelSubject["create"] =>
  async ({ clock }) => {
    const directory = await mkdtemp(join(tmpdir(), "stowage-model-"));
    const open = () => fileStorage({ directory, clock, durability: "process", ...options });
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
  };

describeModel("fileStorage, tree", { create: inFolder({ layout: "tree" }), runs: 100 });
describeModel("fileStorage, encoded", { create: inFolder({ layout: "encoded" }), runs: 100 });

describeLinearizable("fileStorage, by two clients of one folder", { create: inFolder({ layout: "tree" }), runs: 20 });
describeLinearizable("fileStorage on the thread pool", { create: inFolder({ layout: "tree", io: "pool" }), runs: 20 });
