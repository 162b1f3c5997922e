import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

/** Bytes that an open writes beside what is in the logs. */
const spare: number = 1024 * 1024;

/**
 * Whether the disk has room for an open that moves the logs of a database into tables.
 *
 * @throws what the system says of a full disk
 */
export async function checkRoom(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  let logs = 0;
  for (const name of await readdir(directory)) if (name.endsWith(".log")) logs += (await stat(join(directory, name))).size;
  if (bavail * bsize < logs + spare) throw Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
}
