import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";

/** The name of the storage, in errors and in `Storage.name`. */
export const storageName = "lmdb";

/** Errors of LMDB and of the file system become `StorageError`s; every other error is itself already. */
export function translate(error: unknown, operation?: string, key?: string): unknown {
  if (error instanceof StorageError || !(error instanceof Error) || !Object.hasOwn(error, "code")) return error;
  const { code } = error as Error & { readonly code: unknown };
  const [meaning, message] =
    typeof code === "number" ? (meanings[code] ?? ["internal", `LMDB refused with result code ${code}.`]) : meaningOf(String(code));
  return new StorageError(meaning, message, {
    operation,
    key,
    storage: storageName,
    outcome: isUnsure(error) ? "unknown" : "none",
    cause: error,
  });
}

/** Whether what was being written may be there all the same. */
export function isUnsure(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === 5 || error.code === panic);
}

/** What the system says of a full disk. */
export function diskFull(cause: unknown): Error {
  return Object.assign(new Error("No space left on device", { cause }), { code: 28 });
}

const panic = -30795;

const unusable = ["unavailable", "The disk failed earlier, and the database is of no use until it is closed and opened anew."] as const;

/** Result codes of LMDB, and of the system where they are positive. Source: lmdb.h, errno(3) */
const meanings: Readonly<Record<number, readonly [code: ErrorCode, message: string]>> = {
  2: ["denied", "The folder of the database cannot be reached."],
  5: ["unavailable", "The disk of the database failed."],
  12: ["full", "There is no memory left to map the database into."],
  13: ["denied", "The database file, or its lock file, may not be opened; check who owns them and their permissions."],
  27: ["full", "The file system takes no larger file."],
  28: ["full", "The disk of the database is full; free some space."],
  30: ["read-only", "The disk of the database can only be read."],
  122: ["full", "The quota of the disk is used up; free some space."],
  [-30797]: ["corrupt", "A page of the database is missing; restore a backup."],
  [-30796]: ["corrupt", "A page of the database is damaged; restore a backup."],
  // What LMDB itself says of it, and what lmdb-js mostly makes of that.
  [panic]: unusable,
  22: unusable,
  [-30794]: ["unsupported", "The database is of another version of LMDB."],
  [-30793]: ["corrupt", "The file is no LMDB database, or its head is damaged."],
  [-30792]: ["full", "The database takes no more: its map of memory cannot grow."],
  [-30791]: ["config", "The file has as many tables as it can have; give this storage another file."],
  [-30790]: ["unavailable", "Too many processes read the database."],
  [-30788]: ["too-large", "The change is too large for one transaction."],
  [-30781]: ["too-large", "LMDB takes no value of this size."],
};

function meaningOf(code: string): readonly [code: ErrorCode, message: string] {
  if (code === "ENOSPC" || code === "EDQUOT") return meanings[28]!;
  if (code === "EACCES" || code === "EPERM") return meanings[13]!;
  if (code === "EROFS") return meanings[30]!;
  return ["unavailable", `The file of the database cannot be reached: ${code}.`];
}
