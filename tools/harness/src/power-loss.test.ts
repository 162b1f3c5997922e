import { join } from "node:path";
import { holdStill } from "@stowage-tools/servers";
import { expect, test } from "vitest";
import { Child } from "./child.ts";
import { effort } from "./effort.ts";
import { inFolder, temporaryFiles } from "./folder.ts";
import type { Verdict } from "./history.ts";
import { History } from "./history.ts";
import { canMount, copyImage, makeImage, mountImage, unmount, withoutMounts } from "./mounts.ts";
import { seeded } from "./random.ts";
import type { Target } from "./target.ts";
import { nameOf, openTarget } from "./target.ts";
import type { WriterOptions } from "./writer.ts";

/** Stops a writer at a random moment, takes the disk as it is then, and looks at what a new process finds on it. */
async function losePower(target: Target, seed: number): Promise<Verdict & { leftovers: string[]; acknowledgements: number }> {
  return await inFolder(async (folder) => {
    const [image, copy, disk, survived] = ["image", "copy", "disk", "survived"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
      string,
    ];
    makeImage(image, "64m");
    mountImage(image, disk);
    const directory = join(disk, "data");
    const options: WriterOptions = { target, directory, seed, keys: ["a", "b/c", "b/d", "e/f/g", "h"], largest: 200_000, first: 1 };
    const writer = new Child("writer.ts", options);
    const history = new History();
    try {
      await writer.until("ack", 5 + Math.floor(seeded(seed)() * 60));
      await holdStill(writer.process);
      copyImage(image, copy);
      await writer.kill();
      history.add(writer.lines);
    } finally {
      await writer.kill();
      unmount(disk);
    }
    mountImage(copy, survived);
    try {
      const storage = openTarget(target, join(survived, "data"));
      const verdict = await history.check(storage);
      const leftovers = await temporaryFiles(join(survived, "data"));
      await storage.close();
      return { ...verdict, leftovers, acknowledgements: history.acknowledgements };
    } finally {
      unmount(survived);
    }
  });
}

const seed = Number(process.env["STOWAGE_SEED"] ?? Date.now() % 1_000_000);
const timeout = 300_000;

const targets: Target[] = [
  { layout: "tree", durability: "power" },
  { layout: "encoded", durability: "power" },
  { sqlite: "direct", durability: "power" },
  { lmdb: "file", durability: "power" },
  { level: "folder", durability: "power" },
];

test.runIf(canMount).for(targets.map((target) => [nameOf(target), target] as const))(
  `durability "power": what was acknowledged survives a loss of power, and nothing is torn: %s (${withoutMounts})`,
  { timeout },
  async ([, target]) => {
    for (let round = 0; round < effort.powerLosses; round++) {
      const { lost, torn, leftovers } = await losePower(target, seed + round);
      expect({ lost, torn, leftovers }, `STOWAGE_SEED=${seed + round}`).toEqual({ lost: [], torn: [], leftovers: [] });
    }
  },
);

test.runIf(canMount)(`without fsync the same test finds losses (${withoutMounts})`, { timeout }, async () => {
  const { lost, torn } = await losePower({ layout: "tree", durability: "process" }, seed);
  expect(lost.length + torn.length).toBeGreaterThan(0);
});
