import { open, stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { applicationId, schemaVersion } from "./schema.ts";

/** The first bytes of a database file, and where its header says whose it is. Source: sqlite.org/fileformat2.html */
const magic = "SQLite format 3\0";
const headSize = 100;
const userVersionAt = 60;
const applicationIdAt = 68;

/**
 * Looks at the head of a file before SQLite does, which would begin to change it: whatever is not a database of ours is
 * left as it is.
 *
 * @throws StorageError `corrupt` where it is no database, `config` where it is that of another program, `unsupported` where it is of a newer version
 */
export async function checkHead(path: string): Promise<void> {
  const head = await readHead(path);
  if (head === undefined) return;
  if (head.length < headSize || head.toString("latin1", 0, magic.length) !== magic) {
    refuse("corrupt", "The file is no SQLite database, or its head is damaged; nothing was changed.");
  }
  checkOwner(head.readInt32BE(applicationIdAt), head.readInt32BE(userVersionAt), () => {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      return hasTables(database);
    } finally {
      database.close();
    }
  });
}

/**
 * Looks once more, inside of the transaction that is about to make the tables: what another connection has changed may be
 * in the log yet, and not in the head of the file.
 *
 * @throws StorageError `config` where it is that of another program, `unsupported` where it is of a newer version, `invalid-option` where SQLite would take another table for this one
 */
export function checkDatabase(database: DatabaseSync, table: string): void {
  const { application_id: owner } = database.prepare("PRAGMA application_id").get() as { application_id: number };
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  checkOwner(owner, version, () => hasTables(database));
  const sameName = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE AND name <> ?";
  if (database.prepare(sameName).get(table, table) !== undefined) {
    refuse(
      "invalid-option",
      'The database has a table whose name differs from the option "table" in upper and lower case only, which is the same for SQLite.',
    );
  }
}

function checkOwner(owner: number, version: number, anyTables: () => boolean): void {
  if (owner !== applicationId && (owner !== 0 || anyTables())) {
    refuse("config", "The file is the SQLite database of another program; give this storage a file of its own.");
  }
  if (version > schemaVersion) {
    refuse("unsupported", `The database has version ${version} and this package knows ${schemaVersion} at the most; update it.`);
  }
}

/** `undefined` where nothing is there yet. */
async function readHead(path: string): Promise<Buffer | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isFile()) refuse("config", "The path of the database leads to something that is not a file; choose another path.");
  if (found.size === 0) return undefined;
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headSize), 0, headSize, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function hasTables(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !== undefined;
}

function refuse(code: ErrorCode, message: string): never {
  throw new StorageError(code, message, { storage: "sqlite" });
}
