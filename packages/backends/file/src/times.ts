import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { DirectCalls, FileStat } from "./file-system.ts";

/** Nanoseconds by which a time that did not advance is moved on, in this order: file systems keep times more or less finely. */
const steps = [2_000n, 20_000_000n, 2_000_000_000n];

/** Nanoseconds. The time of a deleted value counts for new ones only while it could come from the same moment. */
const recently = 60_000_000_000n;

/** Gives a file the permissions of the one that it replaces, and answers what is known about it then. */
export function matchMode(calls: DirectCalls, path: string, stat: FileStat, replaced: FileStat): FileStat {
  if (stat.mode === replaced.mode) return stat;
  calls.chmod(path, Number(replaced.mode & 0o7777n));
  return calls.lstat(path) ?? stat;
}

/**
 * Gives a file a time later than another's, and answers what is known about it then. The clock of files advances every few
 * milliseconds only, and file numbers are used again at once: without this, two values could share time, size and number.
 */
export function advance(calls: DirectCalls, path: string, stat: FileStat, before: bigint): FileStat {
  let found = stat;
  for (const step of steps) {
    if (found.mtimeNs > before) return found;
    calls.utimes(path, Number((before + step) / 1_000n) / 1e6);
    found = calls.lstat(path) ?? found;
  }
  if (found.mtimeNs > before) return found;
  throw new StorageError("unsupported", "The file system does not keep the times of files.", { storage: storageName });
}

/** The latest time of a value that was deleted under a lock: the lock's file has it. `0n` where that is long ago, or far ahead. */
export function lastDeleted(calls: DirectCalls, lockPath: string, stat: FileStat): bigint {
  const lock = calls.lstat(lockPath);
  return lock === undefined || lock.mtimeNs - stat.mtimeNs > recently ? 0n : lock.mtimeNs;
}

/** Keeps the time of a value that was deleted under a lock. */
export function rememberDeleted(calls: DirectCalls, lockPath: string, deleted: FileStat): void {
  const lock = calls.lstat(lockPath);
  if (lock !== undefined && lock.mtimeNs < deleted.mtimeNs) advance(calls, lockPath, lock, deleted.mtimeNs);
}
