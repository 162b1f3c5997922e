import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelSubject } from "@stowage/testing/contract";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { lmdbStorage } from "./lmdb-storage.ts";

const create: ModelSubject["create"] = async ({ clock }) => {
  const directory = await mkdtemp(join(tmpdir(), "stowage-model-"));
  const open = () => lmdbStorage({ path: join(directory, "data.mdb"), clock });
  return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
};

describeModel("lmdbStorage", { create, runs: 25 });
describeLinearizable("lmdbStorage, by two clients of one file", { create, runs: 6 });
