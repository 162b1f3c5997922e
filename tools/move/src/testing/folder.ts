import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of its own for a test, with a file of storages in it. Gives the path of that file. */
export async function storageFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-move-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "storages.yaml");
  await writeFile(file, text);
  return file;
}
