import type { AnyStorage, ListOptions } from "@stowage/core";
import { forEachConcurrently, refuseAbility, StorageError } from "@stowage/core";
import type { Seen } from "./creating.ts";
import { isDamage } from "./damage.ts";

export interface SweepOptions extends Pick<ListOptions, "prefix" | "startAfter" | "cursor" | "signal"> {
  /** Keys that this call looks at, at the most. @default all */
  readonly limit?: number | undefined;
  /** Keys in memory at once. @default 1000 */
  readonly batchSize?: number | undefined;
  /** Entries looked at, at once. @default 8 */
  readonly concurrency?: number | undefined;
  /** Told after each batch of keys. What it throws ends the sweep. */
  readonly onProgress?: ((progress: SweepProgress) => void) | undefined;
}

export interface SweepProgress {
  /** Entries that were looked at. */
  readonly looked: number;
  /** Expired entries that were removed. */
  readonly removed: number;
  /** Expired entries that somebody replaced or removed before they were. */
  readonly changed: number;
  /** Entries that stay because it cannot be read whether they have expired: `scrub` names them. */
  readonly unreadable: number;
  /** Where to go on; absent where everything was looked at. */
  readonly cursor?: string;
}

/** Looks at entries in batches and removes those that have expired, each by its etag. */
export async function sweep(
  below: AnyStorage,
  look: (key: string, signal: AbortSignal | undefined) => Promise<Seen | undefined>,
  options: SweepOptions,
): Promise<SweepProgress> {
  const { prefix, startAfter, limit = Number.POSITIVE_INFINITY, batchSize = 1000, concurrency = 8, onProgress, signal } = options;
  checkCount("limit", limit, true);
  checkCount("batchSize", batchSize);
  checkCount("concurrency", concurrency);
  if (below.capabilities.list === "none") refuseAbility("list, which a sweep needs", below, "list");
  if (!below.capabilities.conditions.includes("delete")) refuseAbility('sweep, which needs the condition "delete"', below, "delete");

  const counts = { looked: 0, removed: 0, changed: 0, unreadable: 0 };
  const one = async (key: string): Promise<void> => {
    signal?.throwIfAborted();
    counts.looked++;
    try {
      const seen = await look(key, signal);
      if (seen?.expired !== true || seen.etag === undefined) return;
      await below.delete(key, { ifMatch: seen.etag, signal });
      counts.removed++;
    } catch (error) {
      if (isChanged(error)) counts.changed++;
      else if (isDamage(error)) counts.unreadable++;
      else throw error;
    }
  };

  let { cursor } = options;
  for (let first = true; ; first = false) {
    const page = await below.list({
      prefix,
      cursor,
      startAfter: first ? startAfter : undefined,
      limit: Math.min(batchSize, limit - counts.looked),
      signal,
    });
    await forEachConcurrently(page.entries, concurrency, ({ key }) => one(key));
    ({ cursor } = page);
    const progress = { ...counts, ...(cursor !== undefined && { cursor }) };
    onProgress?.(progress);
    if (cursor === undefined || counts.looked >= limit) return progress;
  }
}

const isChanged = (error: unknown): boolean => StorageError.is(error, "precondition-failed") || StorageError.is(error, "conflict");

/** Refuses what is no number of things. */
export function checkCount(name: string, value: number, endless = false): void {
  if ((Number.isInteger(value) && value >= 1) || (endless && value === Number.POSITIVE_INFINITY)) return;
  throw new StorageError("invalid-option", `${name} must be a whole number of at least 1.`);
}
