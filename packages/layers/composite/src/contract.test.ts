import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStorage, Clock } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { describeStorage } from "@stowage/testing/contract";
import type { CompositeOptions } from "./index.ts";
import { composite } from "./index.ts";
import { without } from "./testing/weaker.ts";

describeStorage("composite of two memories", {
  create: ({ clock }) => composite({ replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }) }, clock }),
});

describeStorage("composite with quorums", {
  create: ({ clock }) =>
    composite({
      replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }), three: memoryStorage({ clock }) },
      write: { quorum: 2 },
      read: { quorum: 2 },
      readRepair: true,
      clock,
    }),
});

describeStorage("composite that asks the fastest", {
  create: ({ clock }) =>
    composite({ replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }) }, read: "fastest", singleWriter: true, clock }),
});

describeStorage("composite of a memory and a folder, the folder where the memory has nothing", {
  create: async ({ clock }) => {
    const directory = await mkdtemp(join(tmpdir(), "stowage-composite-"));
    const open = (): ByteStorage => composite({ replicas: memoryAndFolder(directory, clock), readMissing: "next", clock });
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true, force: true }) };
  },
});

describeStorage("composite of storages that have neither order nor conditions", {
  create: ({ clock }) => {
    const plain = (): ByteStorage => without({ list: "unordered", conditions: [] }, memoryStorage({ clock }));
    return composite({ replicas: { one: plain(), two: plain() }, readMissing: "next", promote: false, clock });
  },
});

describeStorage("json over a composite", {
  create: ({ clock }) =>
    json(undefined, { clock })(composite({ replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }) }, clock })),
  values: [{ name: "Ada" }, ["a", "list"]],
});

function memoryAndFolder(directory: string, clock: Clock): CompositeOptions["replicas"] {
  return {
    memory: memoryStorage({ clock }),
    folder: stack(fileStorage({ directory, clock, layout: "encoded", durability: "process" }), envelope({ clock })),
  };
}
