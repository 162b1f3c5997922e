import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStorage } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { describeLayer, describeStorage } from "@stowage/testing/contract";
import { behind } from "./index.ts";

const documented = {
  calls: ["get", "getEntry", "getEntries", "head", "has", "list", "put", "delete", "batch", "clear", "flush", "read", "write"],
  errors: ["clear"],
} as const;

describeLayer("behind, in memory", { create: (inner, { clock }) => behind({ clock })(inner), documented });

describeLayer("behind, with a journal", {
  create: (inner, { clock }) => behind({ clock, journal: memoryStorage({ clock }) })(inner),
  documented,
});

// What arrives below in the background is no call of the caller, so only the contract is asked for here.
describeStorage("behind, without a wait", {
  create: ({ clock }) => behind({ clock, window: 0, journal: memoryStorage({ clock }) })(memoryStorage({ clock })),
});

describeStorage("behind, with a folder and a journal in another", {
  async create({ clock }) {
    const directory = await mkdtemp(join(tmpdir(), "stowage-behind-"));
    const folder = (name: string): ByteStorage => fileStorage({ directory: join(directory, name), durability: "process", clock });
    const open = (): ByteStorage => behind({ clock, journal: folder("journal") })(folder("data"));
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true, force: true }) };
  },
});
