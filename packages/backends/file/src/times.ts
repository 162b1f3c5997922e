import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { FileCalls, FileStat } from "./file-system.ts";

/** Nanoseconds by which a time that did not advance is moved on, in this order: file systems keep times more or less finely. */
const steps = [2_000n, 20_000_000n, 2_000_000_000n];

/** Nanoseconds. The time of a deleted value counts for new ones only while it could come from the same moment. */
const recently = 60_000_000_000n;

/** Gives a file the permissions of the one that it replaces, and answers what is known about it then. */
export async function matchMode(calls: FileCalls, path: string, stat: FileStat, replaced: FileStat): Promise<FileStat> {
  if (stat.mode === replaced.mode) return stat;
  await calls.chmod(path, Number(replaced.mode & 0o7777n));
  return (await calls.lstat(path)) ?? stat;
}

/**
 * Gives a file a time later than another's, and answers what is known about it then. The clock of files advances every few
 * milliseconds only, and file numbers are used again at once: without this, two values could share time, size and number.
 */
export async function advance(calls: FileCalls, path: string, stat: FileStat, before: bigint): Promise<FileStat> {
  let found = stat;
  for (const step of steps) {
    if (found.mtimeNs > before) return found;
    await calls.utimes(path, Number((before + step) / 1_000n) / 1e6);
    found = (await calls.lstat(path)) ?? found;
  }
  if (found.mtimeNs > before) return found;
  throw new StorageError("unsupported", "The file system does not keep the times of files.", { storage: storageName });
}

/** The latest time of a value that was deleted under a lock: the lock's file has it. `0n` where that is long ago, or far ahead. */
export async function lastDeleted(calls: FileCalls, lockPath: string, stat: FileStat): Promise<bigint> {
  const lock = await calls.lstat(lockPath);
  return lock === undefined || lock.mtimeNs - stat.mtimeNs > recently ? 0n : lock.mtimeNs;
}

/** Keeps the time of a value that was deleted under a lock. */
export async function rememberDeleted(calls: FileCalls, lockPath: string, deleted: FileStat): Promise<void> {
  const lock = await calls.lstat(lockPath);
  if (lock !== undefined && lock.mtimeNs < deleted.mtimeNs) await advance(calls, lockPath, lock, deleted.mtimeNs);
}
