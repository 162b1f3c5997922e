import type { Disk } from "./disk.ts";
import { systemCode } from "./errors.ts";
import type { FileCalls } from "./file-system.ts";

/** The folder that an absolute path is in. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

/** Makes a folder and those above it, but never the one of the storage: where that is gone, so is the disk. */
export async function makeFolders(disk: Disk, calls: FileCalls, folder: string): Promise<void> {
  try {
    await calls.mkdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || parentOf(folder) === disk.top) throw error;
    await makeFolders(disk, calls, parentOf(folder));
    await makeFolders(disk, calls, folder);
  }
}

/** Removes a folder and those above it as far as they are empty, and answers the one that is left. */
export async function removeEmptyFolders(disk: Disk, calls: FileCalls, folder: string): Promise<string> {
  let left = folder;
  try {
    for (; left !== disk.top; left = parentOf(left)) await calls.rmdir(left);
  } catch (error) {
    if (systemCode(error) === undefined) throw error; // else somebody uses it
  }
  return left;
}

/** Removes a folder that has nothing but empty folders in it; answers `false` where it has more. */
export async function removeHollowFolder(disk: Disk, calls: FileCalls, folder: string): Promise<boolean> {
  try {
    for (const name of await disk.namesIn(calls, folder)) {
      const path = `${folder}/${name}`;
      const stat = await calls.lstat(path);
      if (stat !== undefined && (!stat.isDirectory() || !(await removeHollowFolder(disk, calls, path)))) return false;
    }
    await calls.rmdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
  return true;
}
