import type { Disk } from "./disk.ts";
import { systemCode } from "./errors.ts";
import type { Answer, FileCalls } from "./file-system.ts";

/** The folder that an absolute path is in. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

/** Makes a folder and those above it, but never the one of the storage: where that is gone, so is the disk. */
export async function makeFolders(disk: Disk, calls: FileCalls, folder: string): Promise<void> {
  try {
    await calls.mkdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST" || code === "ENOTDIR") return; // what is there instead of a folder is found by whoever goes on
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

/** What Windows says of a file that another program has open at the moment. */
const inUse = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Waits, in milliseconds, for another program on Windows to let go of a file: two seconds in all. */
const waits = [5, 10, 20, 40, 75, 150, 300, 600, 800];

/** Runs a call again where it failed only because somebody has the file open, which is a matter of Windows alone. */
export function patiently(disk: Disk, call: () => Answer<void>): Answer<void> {
  return disk.platform === "win32" ? untilFree(disk, call) : call();
}

async function untilFree(disk: Disk, call: () => Answer<void>): Promise<void> {
  for (const wait of waits) {
    try {
      return await call();
    } catch (error) {
      if (!inUse.has(systemCode(error) ?? "")) throw error;
      await disk.clock.sleep(wait);
    }
  }
  return await call();
}
