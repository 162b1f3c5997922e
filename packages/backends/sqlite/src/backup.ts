import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { backup } from "node:sqlite";

/** How far a backup is. */
export interface BackupProgress {
  readonly totalPages: number;
  readonly remainingPages: number;
}

/** Pages that are copied at once. */
const pagesAtOnce = 256;

/** Copies a database into another file, which appears when it is complete and on the disk. */
export async function backUp(
  database: DatabaseSync,
  path: string,
  onProgress: ((progress: BackupProgress) => void) | undefined,
): Promise<void> {
  const draft = `${path}.${randomUUID()}.partial`;
  try {
    await backup(database, draft, { rate: pagesAtOnce, ...(onProgress !== undefined && { progress: onProgress }) });
    await sync(draft);
    await rename(draft, path);
    await sync(dirname(path));
  } finally {
    for (const file of [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`]) await rm(file, { force: true });
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
