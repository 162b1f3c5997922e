import { realpath } from "node:fs/promises";
import { maxKeySize, StorageError } from "@stowage/core";
import { ClassicLevel } from "classic-level";
import { inUse, storageName } from "./errors.ts";

export type Database = ClassicLevel<string, Uint8Array>;

/**
 * Opens a database in a folder, which must be there. Errors are those of LevelDB.
 *
 * A read writes its key into a buffer that it keeps, and cuts keys off that do not fit where the last character takes
 * several bytes. The first read makes that buffer as large as the largest key.
 */
export async function openDatabase(directory: string, cacheSize: number): Promise<Database> {
  const database: Database = new ClassicLevel(directory, { keyEncoding: "utf8", valueEncoding: "view", cacheSize });
  await database.open();
  database.getSync("-".repeat(maxKeySize));
  return database;
}

/**
 * Folders that this process has open, for all copies of this package. LevelDB knows them too, but only after it opened and
 * closed their lock file once more, which gives up the lock of the whole process: others could open the database then.
 */
const folders: unique symbol = Symbol.for("@stowage/level: open folders");
const shelf = globalThis as unknown as { [folders]?: Set<string> };

/**
 * Takes a folder, so that no other storage of this process opens it; answers with what gives it back.
 *
 * @throws StorageError `unavailable` where another one has it
 */
export async function takeFolder(directory: string): Promise<() => void> {
  const folder = await realpath(directory);
  const taken = (shelf[folders] ??= new Set());
  if (taken.has(folder)) throw new StorageError("unavailable", inUse, { storage: storageName });
  taken.add(folder);
  return () => void taken.delete(folder);
}
