import type { Disk } from "../disk.ts";
import { systemCode } from "../errors.ts";
import type { FileCalls } from "../file-system.ts";
import type { Folder } from "../layouts/layout.ts";
import { inside } from "../layouts/layout.ts";
import type { Position } from "./position.ts";
import { isBefore } from "./position.ts";

/** Some key that is stored in the folder at a relative path, not always the first in order, or `undefined` where there is none. */
export async function firstKeyIn(disk: Disk, calls: FileCalls, path: string): Promise<string | undefined> {
  const text = `${disk.layout.textOf(path)}/`;
  return await firstKey(disk, calls, { path, text });
}

/** As `firstKeyIn`, for a folder of a list, and only of the keys after a position. */
export async function firstKey(disk: Disk, calls: FileCalls, folder: Folder, after?: Position): Promise<string | undefined> {
  const { layout } = disk;
  const below: Folder[] = [];
  let reader;
  try {
    reader = await disk.descriptors.opendir(calls, disk.absolute(folder.path));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
      const isFolder = entry.isDirectory();
      if (!isFolder && !entry.isFile()) continue;
      const item = layout.itemOf(entry.name, isFolder, folder);
      if (item === undefined) continue;
      const text = folder.text + item;
      if (after !== undefined && isBefore(after, text, isFolder)) continue;
      if (isFolder) {
        below.push({ path: inside(folder.path, entry.name), text });
        continue;
      }
      const key = layout.keyOf(text);
      if (key !== undefined) return key;
    }
  } finally {
    await reader.close();
  }
  for (const next of below) {
    const key = await firstKey(disk, calls, next, after);
    if (key !== undefined) return key;
  }
  return undefined;
}
