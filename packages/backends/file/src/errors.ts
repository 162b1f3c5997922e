import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";

/** Where an error came up, and what is known then. */
export interface ErrorContext {
  readonly operation: string;
  readonly key?: string | undefined;
  /** @default "none" */
  readonly outcome?: "none" | "unknown" | undefined;
}

/** The name of the storage, in errors and in `Storage.name`. */
export const storageName = "file";

/** The code of an error of the system: `"ENOENT"`. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The code of an error that is not ours: of the system, or of the locks. */
export function foreignCode(error: unknown): string | undefined {
  return systemCode(error) ?? (isLockError(error) ? "lock" : undefined);
}

/** Errors of the system and of the locks become `StorageError`s; every other error is itself already. */
export function translate(error: unknown, { operation, key, outcome }: ErrorContext): unknown {
  const code = foreignCode(error);
  if (code === undefined) return error;
  const [kind, message] = meanings[code] ?? ["internal", `The file system refused with ${code}.`];
  return new StorageError(kind, message, { operation, key, outcome, storage: storageName, cause: error });
}

/** The error of a key that cannot be stored here. */
export function invalidKey(message: string, { operation, key }: ErrorContext): StorageError {
  return new StorageError("invalid-key", message, { operation, key, storage: storageName });
}

const meanings: Readonly<Record<string, readonly [code: ErrorCode, message: string]>> = {
  ENOSPC: ["full", "The disk is full; free some space."],
  EDQUOT: ["full", "The quota of the disk is used up; free some space."],
  EFBIG: ["too-large", "The file system takes no file of this size."],
  EACCES: ["denied", "The file system denies access; check who owns the folder and its permissions."],
  EPERM: ["denied", "The file system does not permit this; check the folder's owner, permissions and attributes."],
  EROFS: ["read-only", "The file system is read-only."],
  ENAMETOOLONG: ["invalid-key", "The path of this key is too long for the file system."],
  ELOOP: ["invalid-key", "A symbolic link is in the way; links are not followed."],
  EXDEV: ["unsupported", "Another file system is mounted inside the folder; a value cannot be moved into it in one step."],
  EMFILE: ["unavailable", "This process has too many open files; raise its limit or do less at once."],
  ENFILE: ["unavailable", "The system has too many open files."],
  ENOMEM: ["unavailable", "The system has no memory left."],
  EIO: ["unavailable", "The disk failed."],
  EBUSY: ["unavailable", "The file is in use."],
  EAGAIN: ["unavailable", "The file system asks to try again."],
  ESTALE: ["unavailable", "The network file system lost the file; try again."],
  ETIMEDOUT: ["unavailable", "The file system did not answer."],
  ENOENT: ["unavailable", "The folder or the file vanished meanwhile."],
  lock: ["unavailable", "The lock under .stowage/locks cannot be used."],
};

function isLockError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}
