import { StorageError } from "@stowage/core";
import type { Connection, Reply } from "./command.ts";
import { storageName } from "./errors.ts";
import type { Names } from "./names.ts";
import { holdLock, lock, run } from "./scripts.ts";

/** A lock that is held until it is given back, or until its time is over. */
export interface RedisLock {
  readonly key: string;
  /**
   * Greater than that of every holder before. Hand it to what the lock protects, and let that refuse a smaller one than it
   * has seen: a holder that slept through the end of its lock is found out by it, and by nothing else.
   */
  readonly token: number;
  /**
   * Holds it for `ttl` milliseconds from now.
   *
   * @throws StorageError `precondition-failed` where it is not held any more
   */
  extend(ttl: number): Promise<void>;
  /** Gives it back. Harmless where it is not held any more. */
  release(): Promise<void>;
}

/** Takes a lock, or gives `undefined` where somebody holds it. */
export async function takeLock(connection: Connection, names: Names, key: string, ttl: number): Promise<RedisLock | undefined> {
  const call = { operation: "lock", key, writes: true };
  const name = names.lock(key);
  const holder = crypto.randomUUID();
  const time = checkedTime(ttl);
  const taken = run(connection, lock, [name, names.lastToken(key)], [holder, time], call, (reply: Reply) => reply);
  const token = await taken;
  if (token === null) return undefined;
  const hold = (milliseconds: string): Promise<boolean> =>
    run(connection, holdLock, [name], [holder, milliseconds], call, (reply: Reply) => reply === 1);
  return {
    key,
    token: Number(String(token)),
    async extend(next) {
      if (await hold(checkedTime(next))) return;
      throw new StorageError("precondition-failed", "The lock is not held any more.", { operation: "lock", key, storage: storageName });
    },
    async release() {
      await hold("0");
    },
  };
}

function checkedTime(ttl: number): string {
  if (Number.isFinite(ttl) && ttl > 0 && ttl <= Number.MAX_SAFE_INTEGER / 2) return String(Math.ceil(ttl));
  throw new StorageError("invalid-option", "ttl must be a finite positive number of milliseconds.", {
    operation: "lock",
    storage: storageName,
  });
}
