import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";

/** The name of the storage, in errors and in `Storage.name`. */
export const storageName = "level";

/** Why a second opener is refused. */
export const inUse = "The folder is in use already, by another process or another storage; LevelDB serves one at a time.";

/** Errors of LevelDB and of the file system become `StorageError`s; every other error is itself already. */
export function translate(error: unknown, operation?: string, key?: string): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const { code, text } = reasonOf(error);
  if (code === undefined) return error;
  const [meaning, message] = meaningOf(code, text);
  const outcome = operation !== undefined && isUnsure(error) ? "unknown" : "none";
  return new StorageError(meaning, message, { operation, key, storage: storageName, outcome, cause: error });
}

/** Whether what was being written may be there all the same: the log may hold it, also where only its sync failed. */
export function isUnsure(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === "LEVEL_IO_ERROR";
}

/** What is behind an error: that of an open wraps it. */
function reasonOf(error: Error): { readonly code: string | undefined; readonly text: string } {
  const inner = codeOf(error) === "LEVEL_DATABASE_NOT_OPEN" && error.cause instanceof Error ? error.cause : error;
  return { code: codeOf(inner), text: inner.message };
}

function codeOf(error: Error): string | undefined {
  return Object.hasOwn(error, "code") && typeof (error as { code?: unknown }).code === "string"
    ? (error as { code?: string }).code
    : undefined;
}

const isFull = (text: string): boolean => /no space left|quota exceeded|too large/i.test(text);

function meaningOf(code: string, text: string): readonly [code: ErrorCode, message: string] {
  if (code === "ENOSPC" || code === "EDQUOT" || (code === "LEVEL_IO_ERROR" && isFull(text))) {
    return ["full", "The disk of the database is full; free some space."];
  }
  if (code === "EACCES" || code === "EPERM" || (code === "LEVEL_IO_ERROR" && /permission denied/i.test(text))) {
    return ["denied", "The folder of the database may not be used; check who owns it and its permissions."];
  }
  if (code === "EROFS" || (code === "LEVEL_IO_ERROR" && /read-only file system/i.test(text))) {
    return ["read-only", "The disk of the database can only be read."];
  }
  const known = meanings[code];
  if (known !== undefined) return known;
  return code.startsWith("LEVEL_")
    ? ["internal", `LevelDB refused with ${code}.`]
    : ["unavailable", `The folder cannot be reached: ${code}.`];
}

const meanings: Readonly<Record<string, readonly [code: ErrorCode, message: string]>> = {
  LEVEL_LOCKED: ["unavailable", inUse],
  LEVEL_CORRUPTION: ["corrupt", "The database is damaged; restore a backup."],
  LEVEL_IO_ERROR: ["unavailable", "The disk of the database failed."],
  LEVEL_DATABASE_NOT_OPEN: ["unavailable", "The database is being opened anew after a failed write; try again."],
};
