import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Child } from "./child.ts";
import { effort } from "./effort.ts";
import { inFolder, temporaryFiles } from "./folder.ts";
import type { Target } from "./target.ts";
import { nameOf, openTarget } from "./target.ts";
import { makeValue } from "./value.ts";
import type { WorkerOptions } from "./worker.ts";

const targets: Target[] = [
  { layout: "tree", durability: "process" },
  { sqlite: "direct", durability: "process" },
  { lmdb: "file", durability: "power" },
];

function startAll(
  target: Target,
  role: WorkerOptions["role"],
  count: number,
  options: Partial<WorkerOptions> & { directory: string },
): Child[] {
  return Array.from(
    { length: count },
    (_, index) =>
      new Child("worker.ts", { role, target, seed: index + 1, duration: effort.processTime, rounds: effort.increments, ...options }),
  );
}

describe.for(targets.map((target) => [nameOf(target), target] as const))("%s", ([, target]) => {
  const start = (role: WorkerOptions["role"], count: number, options: { directory: string }): Child[] =>
    startAll(target, role, count, options);

  test("8 writing and 4 reading processes on one key: no reader sees a torn or a missing value", { timeout: 120_000 }, () =>
    inFolder(async (folder) => {
      const directory = join(folder, "data");
      const storage = openTarget(target, directory);
      await storage.put("shared/key", makeValue(1, 300_000));
      const writers = start("write", 8, { directory });
      const readers = start("read", 4, { directory });
      await Promise.all([...writers, ...readers].map((child) => child.success()));
      expect(readers.map((reader) => reader.count("missing"))).toEqual([0, 0, 0, 0]);
      expect(readers.every((reader) => reader.count("reads") === 1)).toBe(true);
      expect(await temporaryFiles(directory)).toEqual([]);
      await storage.close();
    }),
  );

  test("a counter that 8 processes increment by compare-and-set is exact", { timeout: 120_000 }, () =>
    inFolder(async (folder) => {
      const directory = join(folder, "data");
      const counters = start("count", 8, { directory });
      await Promise.all(counters.map((child) => child.success()));
      const storage = openTarget(target, directory);
      expect(new TextDecoder().decode(await storage.get("counter"))).toBe(String(8 * effort.increments));
      await storage.close();
    }),
  );

  test("of 8 processes that create one key, exactly one wins, each time", { timeout: 120_000 }, () =>
    inFolder(async (folder) => {
      const directory = join(folder, "data");
      const racers = start("create", 8, { directory });
      await Promise.all(racers.map((child) => child.success()));
      const wins = racers.flatMap((racer) => racer.lines).toSorted();
      expect(wins).toEqual(Array.from({ length: effort.increments }, (_, round) => `won ${round}`).toSorted());
    }),
  );
});
