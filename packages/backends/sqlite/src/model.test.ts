import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@stowage/core";
import type { ModelSubject } from "@stowage/testing/contract";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import type { SqliteOptions } from "./options.ts";
import { sqliteStorage } from "./sqlite-storage.ts";

const inFile =
  (options: Omit<SqliteOptions, "path"> = {}): ModelSubject["create"] =>
  async ({ clock }) => {
    const directory = await mkdtemp(join(tmpdir(), "stowage-model-"));
    const open = () => sqliteStorage({ path: join(directory, "data.db"), clock, durability: "process", ...options });
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
  };

describeModel("sqliteStorage", { create: inFile(), runs: 100 });
// Each client waits for the locks of the other one, and that takes real time.
const clock = systemClock;
describeLinearizable("sqliteStorage, by two clients of one file", { create: inFile({ clock }), runs: 20 });
describeLinearizable("sqliteStorage with a thread", { create: inFile({ clock, thread: true }), runs: 10 });
