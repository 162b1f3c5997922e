import { randomUUID } from "node:crypto";
import type { AnyStorage } from "@stowage/core";
import { forEachConcurrently, isByteStorage, StorageError } from "@stowage/core";
import type { Progress } from "./progress.ts";
import type { Survey } from "./survey.ts";

export interface RemoveOptions {
  readonly prefix: string | undefined;
  readonly concurrency: number;
  readonly signal: AbortSignal | undefined;
}

/** Removes from the source the versions that were compared. Gives the keys that stayed, because they were changed since then. */
export async function removeCompared(from: AnyStorage, compared: Survey, options: RemoveOptions, progress: Progress): Promise<string[]> {
  const { concurrency, signal } = options;
  const stayed: string[] = [];
  let done = 0;
  try {
    await forEachConcurrently(compared.values(), concurrency, async ({ key, version }) => {
      signal?.throwIfAborted();
      if (!(await removeVersion(from, key, version, signal))) stayed.push(key);
      progress.show(++done);
    });
    await from.flush({ signal });
  } finally {
    progress.stop();
  }
  return stayed;
}

async function removeVersion(
  from: AnyStorage,
  key: string,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (version === undefined) return false;
  try {
    await from.delete(key, { ifMatch: version, signal });
    return true;
  } catch (error) {
    if (!StorageError.is(error, "precondition-failed") && !StorageError.is(error, "conflict")) throw error;
    return !(await from.has(key, { signal })); // somebody else removed it, or it has expired
  }
}

/**
 * Whether what is written to the target shows in the source: then both are one place, by two names, and what is removed
 * from the one is gone from the other. Tried with an entry of a random name, which goes at once.
 */
export async function isOnePlace(from: AnyStorage, to: AnyStorage, { prefix = "", signal }: RemoveOptions): Promise<boolean> {
  const key = `${prefix}stowage-move-${randomUUID()}`;
  try {
    await to.put(key, isByteStorage(to) ? new Uint8Array(1) : key, { signal });
    await to.flush({ signal });
    return await from.has(key, { signal });
  } finally {
    await to.delete(key);
  }
}
