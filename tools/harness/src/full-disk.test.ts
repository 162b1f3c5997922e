import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { ByteStorage } from "@stowage/core";
import { expect, test } from "vitest";
import { inFolder, temporaryFiles } from "./folder.ts";
import { canMount, growMemory, mountMemory, unmount, withoutMounts } from "./mounts.ts";
import type { Target } from "./target.ts";
import { nameOf, openTarget } from "./target.ts";
import { makeValue, readValue } from "./value.ts";

const ways: Record<string, (storage: ByteStorage, key: string, value: Uint8Array<ArrayBuffer>) => Promise<unknown>> = {
  put: (storage, key, value) => storage.put(key, value),
  write: (storage, key, value) => storage.write(key, new Blob([value])),
  batch: (storage, key, value) => storage.batch([{ type: "put", key, value }]),
  "conditional put": async (storage, key, value) => {
    const etag = (await storage.head(key))?.etag;
    return await storage.put(key, value, etag === undefined ? { ifNoneMatch: "*" } : { ifMatch: etag });
  },
};

const sizes = [1_100_000, 1_500_000, 3_000_000, 10_000_000];

test.runIf(canMount).for(Object.keys(ways))(
  `a %s over a full disk is refused with "full", leaves the old value and gives the space back (${withoutMounts})`,
  { timeout: 60_000 },
  (way) =>
    inFolder(async (folder) => {
      const disk = join(folder, "disk");
      mountMemory(disk, "1m");
      try {
        const storage = openTarget({ layout: "tree", durability: "power" }, disk);
        await storage.put("old", makeValue(1, 100_000));
        const room = statfsSync(disk).bavail;
        for (const size of sizes) {
          for (const key of ["old", "new", "folder/new"]) {
            const failed = await ways[way]!(storage, key, makeValue(2, size)).catch((error: unknown) => error);
            const cause = (failed as { failures?: { error: unknown }[] }).failures?.[0]?.error ?? failed;
            expect(cause, `${key}, ${size} bytes`).toMatchObject({ code: "full", outcome: "none" });
            expect(readValue((await storage.get("old"))!)).toBe(1);
            expect(await storage.has("new")).toBe(false);
            expect(await storage.has("folder/new")).toBe(false);
            expect(statfsSync(disk).bavail, "space given back").toBe(room);
          }
        }
        expect(await temporaryFiles(disk)).toEqual([]);
        await storage.put("old", makeValue(3, 200_000));
        expect(readValue((await storage.get("old"))!)).toBe(3);
        await storage.close();
      } finally {
        unmount(disk);
      }
    }),
);

const databases: Target[] = [
  { sqlite: "direct", durability: "power" },
  { lmdb: "file", durability: "power" },
  { level: "folder", durability: "power" },
];

test.runIf(canMount).for(databases.flatMap((target) => Object.keys(ways).map((way) => [way, nameOf(target), target] as const)))(
  `a %s into a database on a full disk is refused with "full", leaves the old value, and works once there is room: %s (${withoutMounts})`,
  { timeout: 60_000 },
  ([way, , target]) =>
    inFolder(async (folder) => {
      const disk = join(folder, "disk");
      mountMemory(disk, "4m");
      try {
        const storage = openTarget(target, disk);
        await storage.put("old", makeValue(1, 100_000));
        for (const size of [4_500_000, 6_000_000, 10_000_000]) {
          for (const key of ["old", "new"]) {
            const failed = await ways[way]!(storage, key, makeValue(2, size)).catch((error: unknown) => error);
            const cause = (failed as { failures?: { error: unknown }[] }).failures?.[0]?.error ?? failed;
            // LevelDB does not tell whether a write failed or its sync, so the first one's outcome is unknown there.
            expect(cause, `${key}, ${size} bytes`).toMatchObject({ code: "full", ...(!("level" in target) && { outcome: "none" }) });
            expect(readValue((await storage.get("old"))!)).toBe(1);
            expect(await storage.has("new")).toBe(false);
          }
        }
        growMemory(disk, "64m");
        await storage.put("old", makeValue(3, 200_000));
        await storage.close();
        const reopened = openTarget(target, disk);
        expect(readValue((await reopened.get("old"))!)).toBe(3);
        await reopened.close();
      } finally {
        unmount(disk);
      }
    }),
);
