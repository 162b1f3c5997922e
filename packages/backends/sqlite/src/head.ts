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
  const owner = head.readInt32BE(applicationIdAt);
  if (owner !== applicationId && (owner !== 0 || hasTables(path))) {
    refuse("config", "The file is the SQLite database of another program; give this storage a file of its own.");
  }
  const version = head.readInt32BE(userVersionAt);
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

function hasTables(path: string): boolean {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !== undefined;
  } finally {
    database.close();
  }
}

function refuse(code: ErrorCode, message: string): never {
  throw new StorageError(code, message, { storage: "sqlite" });
}
