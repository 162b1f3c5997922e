import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { FileCalls, FileSystem } from "./file-system.ts";
import { nodeFileSystem } from "./file-system.ts";
import { bytes, freshFolder, open, textUnder } from "./testing/folders.ts";

/** A file system that takes names that differ in case alone for one, and keeps the first spelling. */
function foldingFileSystem(top: string): FileSystem {
  const stored = (path: string): string => {
    if (!path.startsWith(`${top}/`)) return path;
    const folder = stored(dirname(path));
    const name = basename(path);
    try {
      return join(folder, readdirSync(folder).find((other) => other.toLowerCase() === name.toLowerCase()) ?? name);
    } catch {
      return join(folder, name);
    }
  };
  const fold = <C extends FileCalls>(calls: C): C =>
    Object.fromEntries(
      Object.entries(calls).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
        name,
        (...args: unknown[]) => call(...args.map((arg) => (typeof arg === "string" ? stored(arg) : arg))),
      ]),
    ) as unknown as C;
  return { direct: fold(nodeFileSystem.direct), pool: fold(nodeFileSystem.pool), openLock: nodeFileSystem.openLock };
}

/** A real disk that folds case, where this machine can have one: needs root, a loop device and the tools. */
function foldingDisk(): string | undefined {
  const base = mkdtempSync(join(tmpdir(), "stowage-folding-"));
  const [image, mount] = [join(base, "image"), join(base, "mount")];
  const run = (command: string, ...args: string[]): void => void execFileSync(command, args, { stdio: "ignore" });
  try {
    mkdirSync(mount);
    run("truncate", "-s", "16M", image);
    run("mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", image);
    run("mount", "-o", "loop", image, mount);
    mkdirSync(join(mount, "folder"));
    run("chattr", "+F", join(mount, "folder"));
  } catch {
    try {
      run("umount", mount);
    } catch {
      // It was not mounted.
    }
    rmSync(base, { recursive: true, force: true });
    return undefined;
  }
  afterAll(() => {
    run("umount", mount);
    rmSync(base, { recursive: true });
  });
  return join(mount, "folder");
}

const disk = foldingDisk();
let count = 0;

const places: Record<string, () => Promise<{ readonly directory: string; readonly fileSystem: FileSystem }>> = {
  "a file system made for this test": async () => {
    const directory = await freshFolder();
    return { directory, fileSystem: foldingFileSystem(directory) };
  },
};
if (disk !== undefined) {
  places["ext4 with casefold"] = async () => {
    const directory = join(disk, `Test${count++}`);
    mkdirSync(directory);
    return { directory, fileSystem: nodeFileSystem };
  };
}

describe.each(Object.keys(places))("where names are not told apart by case: %s", (place) => {
  test("the stored name decides: another spelling is missing, and refused with the name of the key that is there", async () => {
    const where = await places[place]!();
    const storage = open(where.directory, where);
    await storage.put("Dir/Key", bytes("value"));
    for (const key of ["dir/key", "Dir/KEY", "DIR/Key"]) {
      expect(await storage.get(key)).toBeUndefined();
      expect(await storage.head(key)).toBeUndefined();
      expect(await storage.read(key)).toBeUndefined();
      await storage.delete(key);
      const error = await storage.put(key, bytes("mine")).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "invalid-key" });
      expect((error as Error).message).toContain('"Dir');
      await expect(storage.put(key, bytes("mine"), { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "invalid-key" });
    }
    expect((await storage.list({ prefix: "dir/" })).entries).toEqual([]);
    expect((await storage.list()).entries).toEqual([{ key: "Dir/Key" }]);
    await storage.put("Dir/Key", bytes("new"));
    expect(await textUnder(storage, "Dir/Key")).toBe("new");
    await storage.delete("Dir/Key");
    await storage.put("dir/key", bytes("now mine"));
    expect((await storage.list()).entries).toEqual([{ key: "dir/key" }]);
  });

  test("a storage that only reads finds out from what is there", async () => {
    const where = await places[place]!();
    const first = open(where.directory, where);
    await first.put("Key", bytes("value"));
    await first.close();
    const second = open(where.directory, where);
    expect(await second.get("key")).toBeUndefined();
    expect(await textUnder(second, "Key")).toBe("value");
  });

  test("the layout encoded keeps all spellings apart", async () => {
    const where = await places[place]!();
    const storage = open(where.directory, { ...where, layout: "encoded" });
    const keys = ["KEY", "Key", "key", "É", "é", "e\u0301", "a/B", "A/b", "straße", "STRASSE"].toSorted();
    for (const key of keys) await storage.put(key, bytes(key));
    for (const key of keys) expect(await textUnder(storage, key)).toBe(key);
    expect((await storage.list()).entries.map((entry) => entry.key).toSorted()).toEqual(keys);
  });
});
