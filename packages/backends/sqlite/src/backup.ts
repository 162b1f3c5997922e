import { randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { backup } from "node:sqlite";
import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";

/** How far a backup is. */
export interface BackupProgress {
  readonly totalPages: number;
  readonly remainingPages: number;
}

/** Pages that are copied at once. */
const pagesAtOnce = 256;

/**
 * Copies a database into another file, which appears when it is complete and on the disk.
 *
 * @param connect opens a connection for the backup alone. It holds on to the database as it is when the backup begins:
 *   whatever others commit meanwhile would make SQLite begin once more.
 * @throws StorageError `invalid-option` where the target is the source, or a database that is in use or was not closed
 */
export async function backUp(
  source: string,
  connect: () => DatabaseSync,
  target: string,
  onProgress: ((progress: BackupProgress) => void) | undefined,
): Promise<void> {
  await checkTarget(source, target);
  const draft = `${target}.${randomUUID()}.partial`;
  const database = connect();
  try {
    database.exec("BEGIN; SELECT 1 FROM sqlite_schema");
    await backup(database, draft, { rate: pagesAtOnce, ...(onProgress !== undefined && { progress: onProgress }) });
    await sync(draft);
    await checkTarget(source, target);
    await rename(draft, target);
    await sync(dirname(target));
  } finally {
    database.close();
    for (const file of [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`]) await rm(file, { force: true });
  }
}

/** What lies beside a file under one of these names is taken for a part of it, also when the file itself is replaced. */
async function checkTarget(source: string, target: string): Promise<void> {
  const [from, to] = [await found(source), await found(target)];
  if (from !== undefined && from.dev === to?.dev && from.ino === to.ino) {
    refuse("A backup needs a path other than that of the database.");
  }
  for (const log of ["-wal", "-journal"]) {
    if ((await found(target + log)) === undefined) continue;
    refuse(
      `The path of the backup is that of a database that is in use, or was not closed, as its ${log} file says; close that one, or choose another path.`,
    );
  }
}

async function found(path: string): Promise<{ readonly dev: bigint; readonly ino: bigint } | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function refuse(message: string): never {
  throw new StorageError("invalid-option", message, { operation: "backup", storage: storageName });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
