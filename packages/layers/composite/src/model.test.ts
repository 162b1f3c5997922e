import { stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeModel } from "@stowage/testing/contract";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { composite } from "./index.ts";

describeModel("composite of two memories", {
  create: ({ clock }) => composite({ replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }) }, clock }),
  runs: 50,
});

describeModel("composite that copies up what a memory lacks", {
  create: ({ clock }) =>
    composite({ replicas: { one: memoryStorage({ clock }), two: memoryStorage({ clock }) }, readMissing: "next", clock }),
  runs: 50,
});

describeModel("composite of a memory and a folder", {
  create: async ({ clock }) => {
    const directory = await mkdtemp(join(tmpdir(), "stowage-composite-"));
    const folder = stack(fileStorage({ directory, clock, layout: "encoded", durability: "process" }), envelope({ clock }));
    const storage = composite({ replicas: { memory: memoryStorage({ clock }), folder }, clock });
    return { storage, cleanup: () => rm(directory, { recursive: true, force: true }) };
  },
  runs: 5,
});

// Two of three never fail, so that no call may; a list asks the first.
describeModel("composite with quorums, one of whose replicas fails", {
  create: ({ clock, seed }) =>
    composite({
      replicas: {
        one: memoryStorage({ clock }),
        two: memoryStorage({ clock }),
        bad: stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.3 })),
      },
      write: { quorum: 2 },
      read: { quorum: 2 },
      readRepair: true,
      clock,
    }),
  runs: 50,
});
