import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `work` in a folder of its own, which is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Temporary files that a file storage has left in its folder. The mark of the process that has it open now is none. */
export async function temporaryFiles(directory: string): Promise<string[]> {
  const entries = await readdir(join(directory, ".stowage"), { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && !/[/]locks$/.test(entry.parentPath));
  const isMark = (entry: (typeof files)[number]): boolean => entry.parentPath.endsWith("/owners");
  const marks = files.filter(isMark);
  return files.filter((entry) => marks.length > 1 || !isMark(entry)).map(({ name }) => name);
}
