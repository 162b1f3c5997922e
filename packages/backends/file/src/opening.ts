import { constants } from "node:fs";
import { sep } from "node:path";
import { StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { storageName, systemCode } from "./errors.ts";
import type { FileCalls } from "./file-system.ts";
import { parentOf } from "./folders.ts";
import { reservedFolder } from "./layouts/layout.ts";

/** The longest path of the folder that leaves room for every encoded key, in characters. */
const longestTop = 800;

const openFlags = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

/** What a file system says that does not sync folders. */
const noFolderSync = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EISDIR", "EPERM", "EBADF"]);

/** Finds the folder of a storage, makes it where it is missing, and checks that it can keep what is promised. */
export async function openFolder(disk: Disk, directory: string, durable: boolean): Promise<void> {
  const { pool } = disk.fileSystem;
  const made = await makeFolder(pool, directory);
  const top = withSlashes(await pool.realpath(directory));
  if (disk.layout.anyKey && top.length > longestTop) {
    throw new StorageError(
      "config",
      `The path of the folder is too long for the layout "encoded"; ${longestTop} characters are the most.`,
      {
        storage: storageName,
      },
    );
  }
  disk.top = top;
  disk.device = (await pool.lstat(top))?.dev ?? 0n;
  if (durable) {
    await syncFolder(pool, top);
    for (const folder of made) await syncFolder(pool, folder);
  }
  disk.folding = await foldsCase(disk);
}

/** Whether names that differ in case alone lead to one file, asked of a name that is there; unknown in an empty folder. */
export async function foldsCase(disk: Disk): Promise<boolean> {
  const { pool } = disk.fileSystem;
  for (const name of [reservedFolder, ...(await someNames(disk))]) {
    const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
    if (other === name) continue;
    const stat = await pool.lstat(`${disk.top}/${name}`);
    if (stat === undefined) continue;
    const same = await pool.lstat(`${disk.top}/${other}`);
    return same !== undefined && same.ino === stat.ino;
  }
  return false;
}

/** A path of the system in one way of writing. */
export const withSlashes = (path: string): string => (sep === "\\" ? path.replaceAll("\\", "/") : path);

/** Makes a folder with those above it, and answers the folders that got a new name in them. */
async function makeFolder(pool: FileCalls, folder: string, attempts = 3): Promise<string[]> {
  try {
    await pool.mkdir(folder);
    return [parentOf(folder)];
  } catch (error) {
    const code = systemCode(error);
    // Where the parent is there and the folder still cannot be made, as in /proc, it is asked for only so often.
    if (code === "ENOENT" && parentOf(folder) !== folder && attempts > 1)
      return [...(await makeFolder(pool, parentOf(folder))), ...(await makeFolder(pool, folder, attempts - 1))];
    // A folder that is there may be on a disk where nothing can be made.
    if ((code === "EEXIST" || code === "EROFS" || code === "EACCES" || code === "EPERM") && (await isFolder(pool, folder))) return [];
    if (code !== "ENOENT") throw error;
    throw new StorageError("denied", `The folder ${folder} cannot be made; choose another directory.`, {
      storage: storageName,
      cause: error,
    });
  }
}

async function isFolder(pool: FileCalls, path: string): Promise<boolean> {
  const fd = await pool.open(path, openFlags);
  await pool.close(fd);
  return true;
}

async function syncFolder(pool: FileCalls, folder: string): Promise<void> {
  const fd = await pool.open(folder, openFlags);
  try {
    await pool.fsync(fd);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || !noFolderSync.has(code)) throw error;
    throw new StorageError(
      "unsupported",
      'This file system cannot sync folders, so a write would not survive loss of power; use durability: "process" or another disk.',
      { storage: storageName, cause: error },
    );
  } finally {
    await pool.close(fd);
  }
}

async function someNames(disk: Disk): Promise<string[]> {
  const names: string[] = [];
  const reader = await disk.descriptors.opendir(disk.fileSystem.pool, disk.top);
  try {
    for (let entry = await reader.next(); entry !== null && names.length < mostProbes; entry = await reader.next()) {
      if (entry.name !== reservedFolder) names.push(entry.name);
    }
  } finally {
    await reader.close();
  }
  return names;
}

/** Names that are looked at to find one with letters. */
const mostProbes = 16;
