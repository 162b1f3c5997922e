import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelSubject } from "@stowage/testing/contract";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { levelStorage } from "./level-storage.ts";

const inFolder =
  (reopens: boolean): ModelSubject["create"] =>
  async ({ clock }) => {
    const folder = await mkdtemp(join(tmpdir(), "stowage-model-"));
    const open = () => levelStorage({ directory: join(folder, "data"), clock, durability: "process" });
    return { storage: open(), ...(reopens && { reopen: open }), cleanup: () => rm(folder, { recursive: true }) };
  };

describeModel("levelStorage", { create: inFolder(true), runs: 40 });
describeLinearizable("levelStorage, by the one client that it has", { create: inFolder(false), runs: 20 });
