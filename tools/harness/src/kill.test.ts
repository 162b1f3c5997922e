import { join } from "node:path";
import { expect, test } from "vitest";
import { Child } from "./child.ts";
import { effort } from "./effort.ts";
import { inFolder, temporaryFiles } from "./folder.ts";
import { History } from "./history.ts";
import { seeded } from "./random.ts";
import type { Target } from "./target.ts";
import { nameOf, openTarget } from "./target.ts";
import type { WriterOptions } from "./writer.ts";

const targets: Target[] = [
  { layout: "tree", durability: "power" },
  { layout: "tree", durability: "process" },
  { layout: "encoded", durability: "process" },
  { layout: "encoded", durability: "power", stacked: true },
  { layout: "tree", durability: "process", behind: true },
  { sqlite: "direct", durability: "power" },
  { sqlite: "direct", durability: "process" },
  { sqlite: "thread", durability: "process" },
  { lmdb: "file", durability: "power" },
  { level: "folder", durability: "power" },
  { level: "folder", durability: "process" },
];

test.concurrent.for(targets.map((target) => [nameOf(target), target] as const))(
  "a writer killed at any moment loses nothing acknowledged, tears nothing, leaves no temporary file: %s",
  { timeout: 600_000 },
  async ([name, target]) => {
    const seed = Number(process.env["STOWAGE_SEED"] ?? Date.now() % 1_000_000);
    const random = seeded(seed);
    const context = `${name}, STOWAGE_SEED=${seed}`;
    await inFolder(async (folder) => {
      const directory = join(folder, "data");
      const history = new History();
      for (let kill = 0; kill < effort.kills; kill++) {
        const options: WriterOptions = {
          target,
          directory,
          seed: seed + kill,
          keys: ["a", "b/c", "b/d", "e/f/g", "h"],
          largest: 400_000,
          first: history.highest + 1,
        };
        const writer = new Child("writer.ts", options);
        await writer.until("start", 1 + Math.floor(random() * 120));
        await writer.kill();
        history.add(writer.lines);

        const storage = openTarget(target, directory);
        const verdict = await history.check(storage);
        await storage.flush(); // what is pending writes temporary files
        const left = await temporaryFiles(directory);
        await storage.close(); // before anything is thrown: the folder goes then
        expect(verdict, `${context}, kill ${kill}`).toEqual({ lost: [], torn: [] });
        expect(left, `${context}, kill ${kill}`).toEqual([]);
        if (!("behind" in target)) continue;
        const below = openTarget({ ...target, behind: false }, directory); // where all of it is now
        expect(await history.check(below), `${context}, kill ${kill}, below`).toEqual({ lost: [], torn: [] });
        await below.close();
      }
      expect(history.acknowledgements, "the writers wrote something").toBeGreaterThan(effort.kills);
    });
  },
);
