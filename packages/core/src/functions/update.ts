import type { Clock } from "../contract/clock.ts";
import { systemClock } from "../contract/clock.ts";
import type { AnyStorage, Condition, Entry, EntryInfo, PutOptions, Storage } from "../contract/contract.ts";
import { refuseAbility } from "../contract/options.ts";
import { isLostRace, StorageError } from "../contract/storage-error.ts";

export interface UpdateOptions extends Omit<PutOptions, "ifMatch" | "ifNoneMatch"> {
  /** Tries at the most, while others change the entry at the same time. @default 20 */
  readonly attempts?: number | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/** What an update function returns to have the entry deleted. */
export const removed: unique symbol = Symbol("removed");

/** The longest pause between two tries, in milliseconds. */
const longestPause = 250;

/**
 * Changes an entry by what it is: reads it, asks `change` for the new value, and writes that only over the version that
 * was read. Where another was faster, it starts again, so `change` may run several times and should do nothing else.
 *
 * `change` gets the value, or `undefined` where there is none, and returns the new value, `undefined` to leave all as it
 * is, or `removed` to have the entry deleted. Metadata and expiry stay as they are unless `options` have others.
 *
 * Resolves with the entry as it is then. Rejects with `conflict` when every try lost, with `unsupported` before any I/O
 * where the storage has no conditions, and never tries again when it cannot know whether a write took effect.
 *
 * ```ts
 * await update(counters, "visits", (count = 0) => count + 1);
 * ```
 */
export async function update<V>(
  storage: Storage<V>,
  key: string,
  change: (value: V | undefined) => V | undefined | typeof removed | Promise<V | undefined | typeof removed>,
  options: UpdateOptions = {},
): Promise<Entry<V> | undefined> {
  const { attempts = 20, clock = systemClock, signal } = options;
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new StorageError("invalid-option", "attempts must be a whole number of at least 1.");
  need(storage, "create", "replace");
  let lost: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 1) await clock.sleep(Math.random() * Math.min(2 ** attempt, longestPause), signal);
    const entry = await storage.getEntry(key, { signal });
    const value = await change(entry?.value);
    if (value === undefined) return entry;
    try {
      if (value !== removed) return { ...(await replace(storage, key, entry, value, options)), value };
      if (entry !== undefined) await remove(storage, key, entry, signal);
      return undefined;
    } catch (error) {
      if (!isLostRace(error)) throw error;
      lost = error;
    }
  }
  throw new StorageError("conflict", `Others changed the entry during each of ${attempts} tries to update it.`, {
    operation: "put",
    key,
    storage: storage.name,
    cause: lost,
  });
}

function replace<V>(storage: Storage<V>, key: string, entry: Entry<V> | undefined, value: V, options: UpdateOptions): Promise<EntryInfo> {
  const { ttl, expiresAt = ttl === undefined ? entry?.expiresAt : undefined, metadata = entry?.metadata, signal } = options;
  const condition = entry === undefined ? ({ ifNoneMatch: "*" } as const) : { ifMatch: etagOf(storage, entry) };
  return storage.put(key, value, { ttl, expiresAt, metadata, signal, ...condition });
}

function remove<V>(storage: Storage<V>, key: string, entry: Entry<V>, signal: AbortSignal | undefined): Promise<void> {
  need(storage, "delete");
  return storage.delete(key, { ifMatch: etagOf(storage, entry), signal });
}

function etagOf(storage: AnyStorage, { key, etag }: EntryInfo): string {
  if (etag !== undefined) return etag;
  throw new StorageError("internal", "The storage promises conditions and gave an entry without an etag.", { storage: storage.name, key });
}

function need(storage: AnyStorage, ...conditions: readonly Condition[]): void {
  for (const condition of conditions) {
    if (!storage.capabilities.conditions.includes(condition)) {
      refuseAbility(`update, which needs the condition "${condition}"`, storage, condition === "delete" ? "delete" : "put");
    }
  }
}
