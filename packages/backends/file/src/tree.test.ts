import { execFileSync } from "node:child_process";
import { constants, existsSync, futimesSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { StorageError } from "@stowage/core";
import { describe, expect, test } from "vitest";
import { fileStorage } from "./file-storage.ts";
import type { DirectCalls, FileStat, FileSystem } from "./file-system.ts";
import { nodeFileSystem } from "./file-system.ts";
import { treeLayout } from "./layouts/tree.ts";
import { bytes, freshFolder, open, textUnder } from "./testing/folders.ts";
import { ObservedFileSystem } from "./testing/observed-file-system.ts";

const code = (name: string) => expect.objectContaining({ name: "StorageError", code: name });

/** A disk whose clock stands still, and whose files have all the same number. */
function stoppedFileSystem(): FileSystem {
  const { direct, pool, openLock } = nodeFileSystem;
  const time = Math.floor(Date.now() / 1000);
  const stop = (found: unknown): FileStat => Object.assign(found as FileStat, { ino: 7n });
  const stopped: DirectCalls = {
    ...direct,
    open: (path, flags, mode) => {
      const fd = direct.open(path, flags, mode);
      if ((flags & constants.O_CREAT) !== 0) futimesSync(fd, time, time);
      return fd;
    },
    write: (fd, buffer, offset, length) => {
      const count = direct.write(fd, buffer, offset, length);
      futimesSync(fd, time, time);
      return count;
    },
    fstat: (fd) => stop(direct.fstat(fd)),
    lstat: (path) => {
      const found = direct.lstat(path);
      return found === undefined ? undefined : stop(found);
    },
  };
  return { direct: stopped, pool, openLock };
}

describe("the layout tree", () => {
  test("a key is a file of the same name that holds exactly the value", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("a/b.json", bytes("{}"));
    await storage.put("read me.TXT", bytes("hello"));
    expect(await readFile(join(directory, "a/b.json"), "utf8")).toBe("{}");
    expect(await readFile(join(directory, "read me.TXT"), "utf8")).toBe("hello");
  });

  test("a folder that is there is adopted as it is, without a trace until the first write", async () => {
    const directory = await freshFolder();
    await mkdir(join(directory, "sub/empty"), { recursive: true });
    await writeFile(join(directory, "sub/one"), "1");
    await writeFile(join(directory, ".hidden"), "h");
    const storage = open(directory);
    expect((await storage.list()).entries).toEqual([{ key: ".hidden" }, { key: "sub/one" }]);
    expect(await textUnder(storage, "sub/one")).toBe("1");
    expect(await storage.head("sub")).toBeUndefined();
    expect(await readdir(directory)).toEqual([".hidden", "sub"]);
  });

  test("a missing folder is made with those above it", async () => {
    const directory = join(await freshFolder(), "a/b");
    const storage = open(directory);
    expect(await storage.get("key")).toBeUndefined();
    expect((await stat(directory)).isDirectory()).toBe(true);
  });

  test("the folder may be given as a URL, and as a link", async () => {
    const directory = await freshFolder();
    await mkdir(join(directory, "real"));
    await symlink("real", join(directory, "link"));
    const storage = fileStorage({ directory: pathToFileURL(join(directory, "link")), durability: "process" });
    await storage.put("key", bytes("value"));
    await storage.close();
    expect(await readFile(join(directory, "real/key"), "utf8")).toBe("value");
  });

  test.each([
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "a/.",
    "./a",
    ".stowage",
    ".stowage/tmp/x",
    ".Stowage/x",
    "x".repeat(256),
    `a/${"é".repeat(128)}/b`,
  ])("the key %j cannot be a path and is refused before any I/O", async (key) => {
    const storage = fileStorage({ directory: "/dev/null/nowhere" });
    await expect(storage.put(key, bytes("value"))).rejects.toEqual(code("invalid-key"));
    await expect(storage.get(key)).rejects.toEqual(code("invalid-key"));
    await expect(storage.delete(key)).rejects.toEqual(code("invalid-key"));
  });

  test.each(["...", "a..", "..a/b", "a b", "x".repeat(255), "é".repeat(127), "a\\b", "C:", "-", "~", "stowage/.stowage"])(
    "the key %j is a path like any other",
    async (key) => {
      const storage = open(await freshFolder());
      await storage.put(key, bytes("value"));
      expect(await textUnder(storage, key)).toBe("value");
      expect((await storage.list()).entries).toEqual([{ key }]);
    },
  );

  test.each(["a\\b", "C:", "a?", "con", "a/NUL.txt", "a.", "a /b", "a\u0001"])("on Windows the key %j is refused", (key) => {
    expect(() => treeLayout("win32").pathOf(key, "put")).toThrow(expect.objectContaining({ code: "invalid-key" }));
    expect(treeLayout("win32").pathOf("console/nul1.a", "put")).toBe("console/nul1.a");
  });

  test("a key above and a key below another are refused with the name of the other, and nothing is harmed", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("a/b/c", bytes("below"));
    const above = await storage.put("a", bytes("above")).catch((error: unknown) => error);
    expect(above).toEqual(code("invalid-key"));
    expect((above as StorageError).message).toContain('"a/b/c"');
    await storage.put("x", bytes("value"));
    const below = await storage.put("x/y/z", bytes("below")).catch((error: unknown) => error);
    expect(below).toEqual(code("invalid-key"));
    expect((below as StorageError).message).toContain('"x"');
    await expect(storage.put("a/b", bytes("above"), { ifNoneMatch: "*" })).rejects.toEqual(code("invalid-key"));
    await expect(storage.write("x/y", new Blob(["below"]))).rejects.toEqual(code("invalid-key"));
    expect(await textUnder(storage, "a/b/c")).toBe("below");
    expect(await textUnder(storage, "x")).toBe("value");
    expect(await storage.get("x/y/z")).toBeUndefined();
    expect(await storage.head("a")).toBeUndefined();
    await storage.delete("a");
    await storage.delete("x/y/z");
    expect((await storage.list()).entries).toEqual([{ key: "a/b/c" }, { key: "x" }]);
  });

  test("folders left empty are removed, and a key may take their place", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("a/b/c/d", bytes("value"));
    await storage.put("a/e", bytes("value"));
    await storage.delete("a/b/c/d");
    expect(await readdir(join(directory, "a"))).toEqual(["e"]);
    await storage.delete("a/e");
    expect(await readdir(directory)).toEqual([".stowage"]);
    await storage.put("a", bytes("value"));
    expect(await textUnder(storage, "a")).toBe("value");
  });

  test("hollow folders that others left give way to a key", async () => {
    const directory = await freshFolder();
    await mkdir(join(directory, "a/b/c"), { recursive: true });
    const storage = open(directory);
    await storage.put("a", bytes("value"), { ifNoneMatch: "*" });
    expect(await textUnder(storage, "a")).toBe("value");
  });

  test("writers that need a folder win against those that remove it", async () => {
    const directory = await freshFolder();
    const storages = [open(directory), open(directory, { io: "pool" })];
    await Promise.all(
      storages.map(async (storage, me) => {
        for (let round = 0; round < 150; round++) {
          await storage.put(`a/b/${me}`, bytes("value"));
          await storage.delete(`a/b/${me}`);
        }
      }),
    );
    expect((await storages[0]!.list()).entries).toEqual([]);
  });
});

describe("what is no regular file", () => {
  test("a link is not followed: not read, not replaced, not removed, not listed", async () => {
    const directory = await freshFolder();
    const outside = await freshFolder();
    await writeFile(join(outside, "secret"), "secret");
    await symlink(join(outside, "secret"), join(directory, "file"));
    await symlink(outside, join(directory, "folder"));
    const storage = open(directory);
    for (const key of ["file", "folder/secret", "folder"]) {
      expect(await storage.get(key)).toBeUndefined();
      expect(await storage.head(key)).toBeUndefined();
      expect(await storage.read(key)).toBeUndefined();
      await storage.delete(key);
      await expect(storage.put(key, bytes("mine"))).rejects.toEqual(code("invalid-key"));
      await expect(storage.put(key, bytes("mine"), { ifNoneMatch: "*" })).rejects.toEqual(code("invalid-key"));
    }
    await expect(storage.put("folder/new", bytes("mine"))).rejects.toEqual(code("invalid-key"));
    expect(await storage.list()).toEqual({ entries: [], prefixes: [] });
    expect(await storage.list({ prefix: "folder/" })).toEqual({ entries: [], prefixes: [] });
    expect(await storage.list({ delimiter: "/" })).toEqual({ entries: [], prefixes: [] });
    expect(await readdir(outside)).toEqual(["secret"]);
    expect(await readFile(join(outside, "secret"), "utf8")).toBe("secret");
    expect(existsSync(join(directory, "file"))).toBe(true);
  });

  test("a list never leaves the folder, whatever its prefix says", async () => {
    const parent = await freshFolder();
    await writeFile(join(parent, "outside"), "value");
    const storage = open(join(parent, "storage"));
    await storage.put("key", bytes("value"));
    for (const prefix of ["../", "../out", "/", `${parent}/`, "./", ".stowage/", ".stowage/locks/", "a//"]) {
      expect(await storage.list({ prefix })).toEqual({ entries: [], prefixes: [] });
    }
  });

  test("a reserved folder that is a link is not used", async () => {
    const directory = await freshFolder();
    const outside = await freshFolder();
    await symlink(outside, join(directory, ".stowage"));
    await expect(open(directory).put("key", bytes("value"))).rejects.toEqual(code("unavailable"));
    expect(await readdir(outside)).toEqual([]);
  });

  test.runIf(existsSync("/usr/bin/mkfifo"))("a pipe and a socket hold nobody up and are no entries", async () => {
    const directory = await freshFolder();
    execFileSync("/usr/bin/mkfifo", [join(directory, "pipe")]);
    for (const io of ["auto", "pool"] as const) {
      const fileSystem = new ObservedFileSystem();
      const storage = open(directory, { io, fileSystem });
      expect(await storage.get("pipe")).toBeUndefined();
      expect(await storage.read("pipe")).toBeUndefined();
      expect(await storage.head("pipe")).toBeUndefined();
      await expect(storage.put("pipe", bytes("value"))).rejects.toEqual(code("invalid-key"));
      await storage.delete("pipe");
      expect((await storage.list()).entries).toEqual([]);
      expect(fileSystem.open.size).toBe(0);
    }
    expect((await stat(join(directory, "pipe"))).isFIFO()).toBe(true);
  });

  test("names that are not UTF-8 are nobody's keys", async () => {
    const directory = await freshFolder();
    const bad = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0x62, 0xff])]);
    await writeFile(bad, "value");
    await writeFile(join(directory, "b\ufffd"), "value");
    expect((await open(directory).list()).entries).toEqual([{ key: "b\ufffd" }]);
  });
});

describe("versions", () => {
  test("every value of a key has a later time than the one before, however fast they come", async () => {
    const storage = open(await freshFolder(), { fileSystem: stoppedFileSystem() });
    const etags = new Set<string>();
    let last = -1;
    for (let round = 0; round < 300; round++) {
      const { etag, modifiedAt } = await storage.put("key", bytes("same"));
      etags.add(etag!);
      expect(modifiedAt).toBeGreaterThanOrEqual(last);
      last = modifiedAt!;
    }
    expect(etags.size).toBe(300);
  });

  test("a value after a delete is another version, also where its file has the same number and the clock stands still", async () => {
    const storage = open(await freshFolder(), { fileSystem: stoppedFileSystem() });
    const etags = new Set<string>();
    for (let round = 0; round < 300; round++) {
      etags.add((await storage.put("key", bytes("same"))).etag!);
      await storage.delete("key");
    }
    expect(etags.size).toBe(300);
  });

  test("time goes on from a file that comes from the future", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("key", bytes("one"));
    await utimes(join(directory, "key"), 4e9, 4e9);
    const { modifiedAt, etag } = await storage.put("key", bytes("two"));
    expect(modifiedAt).toBe(4e12);
    expect((await storage.head("key"))?.etag).toBe(etag);
    await storage.delete("key");
    expect((await storage.put("key", bytes("three"))).modifiedAt).toBeLessThan(4e12);
  });

  test("what another program writes is another version", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    const { etag } = await storage.put("key", bytes("one"));
    await writeFile(join(directory, "key"), "more");
    await expect(storage.put("key", bytes("two"), { ifMatch: etag })).rejects.toEqual(code("precondition-failed"));
  });
});

describe("permissions", () => {
  test("stay what they were when a value is replaced", async () => {
    const directory = await freshFolder();
    for (const durability of ["process", "power"] as const) {
      const storage = open(directory, { durability });
      await storage.put("key", bytes("one"));
      await chmod(join(directory, "key"), 0o640);
      const { etag } = await storage.put("key", bytes("two"));
      await storage.write("key", new Blob(["three"]), { ifMatch: etag });
      expect((await stat(join(directory, "key"))).mode & 0o777).toBe(0o640);
      await storage.clear();
    }
  });
});

describe("opening", () => {
  test.each([
    [{ directory: "" }, "directory"],
    [{ directory: 7 }, "directory"],
    [{ directory: new URL("https://example.org/") }, "directory"],
    [{ directory: "x", layout: "flat" }, "layout"],
    [{ directory: "x", durability: "memory" }, "durability"],
    [{ directory: "x", io: "sync" }, "io"],
  ])("options %j are refused where the storage is made", (options, word) => {
    const make = () => fileStorage(options as never);
    expect(make).toThrow(expect.objectContaining({ code: "invalid-option", message: expect.stringContaining(word) }));
  });

  test("a file in place of the folder is refused, and tried again by the next call", async () => {
    const directory = join(await freshFolder(), "place");
    await writeFile(directory, "a file");
    const storage = open(directory);
    await expect(storage.get("key")).rejects.toBeInstanceOf(StorageError);
    await rm(directory);
    expect(await storage.get("key")).toBeUndefined();
  });

  test("a folder that vanishes while it is used is not made again, and nothing in it counts as missing", async () => {
    const directory = join(await freshFolder(), "place");
    const storage = open(directory);
    await storage.put("key", bytes("value"));
    await rm(directory, { recursive: true });
    for (const call of [
      () => storage.get("key"),
      () => storage.head("a/key"),
      () => storage.read("key"),
      () => storage.list(),
      () => storage.list({ prefix: "a/" }),
      () => storage.put("key", bytes("value")),
      () => storage.write("a/key", new Blob(["value"])),
      () => storage.delete("key"),
      () => storage.clear(),
    ]) {
      await expect(call()).rejects.toEqual(code("unavailable"));
    }
    expect(existsSync(directory)).toBe(false);
  });

  test("the reserved folder is made again where somebody removed it", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("key", bytes("one"));
    await rm(join(directory, ".stowage"), { recursive: true });
    await storage.put("key", bytes("two"));
    await storage.put("a/new", bytes("two"), { ifNoneMatch: "*" });
    expect(await textUnder(storage, "key")).toBe("two");
  });

  test("details tell the options and the counters", async () => {
    const directory = await freshFolder();
    const storage = open(directory, { durability: "power" });
    await storage.put("key", bytes("value"));
    expect(storage.details()).toEqual({
      options: { directory, layout: "tree", durability: "power", io: "auto" },
      stats: { temporaryFilesSwept: 0, folderSyncs: expect.any(Number), openStreams: 0 },
    });
  });
});
