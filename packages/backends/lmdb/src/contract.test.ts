import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStorage } from "@stowage/testing/contract";
import { lmdbStorage } from "./lmdb-storage.ts";

describeStorage("lmdbStorage", {
  async create({ clock }) {
    const directory = await mkdtemp(join(tmpdir(), "stowage-lmdb-"));
    const open = () => lmdbStorage({ path: join(directory, "data.mdb"), clock });
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
  },
});
