import type { AnyStorage, ErrorCode, ListOptions } from "@stowage/core";
import { forEachConcurrently, isByteStorage, refuseAbility, StorageError } from "@stowage/core";
import { isDamage } from "./damage.ts";
import { checkCount } from "./sweep.ts";

export interface ScrubOptions extends Pick<ListOptions, "prefix" | "startAfter" | "cursor" | "signal"> {
  /** Entries read at once. @default 4 */
  readonly concurrency?: number | undefined;
  /** Keys in memory at once. @default 1000 */
  readonly batchSize?: number | undefined;
  /** Failures that the report names; further ones are counted, and told to `onFailure`. @default 1000 */
  readonly maxFailures?: number | undefined;
  /** Told after each entry. What it throws ends the scrub. */
  readonly onProgress?: ((progress: ScrubProgress) => void) | undefined;
  /** Told of each entry that could not be read, as soon as that is known. What it throws ends the scrub. */
  readonly onFailure?: ((failure: ScrubFailure) => void) | undefined;
}

export interface ScrubProgress {
  /** Entries that were read to their end. */
  readonly entries: number;
  /** Bytes of their values, where the values are bytes. */
  readonly bytes: number;
  /** Keys that were listed and then had no entry: it was removed meanwhile, or has expired. */
  readonly gone: number;
  /** Entries whose data is not what was stored, or cannot be told to be: `corrupt`, `tampered` and the like. */
  readonly damaged: number;
  /** Entries that were not read for another reason, such as `unavailable`: nothing is known about them. */
  readonly unread: number;
  /** Where to go on: all that comes before was read. Absent at the start, and at the end. */
  readonly cursor?: string;
}

/** An entry that could not be read. */
export interface ScrubFailure {
  readonly key: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface ScrubReport extends ScrubProgress {
  /** In the order in which they were found. */
  readonly failures: readonly ScrubFailure[];
}

/**
 * Reads every entry to its end, and tells which are damaged. Works on any stack; what it finds is what reading finds, so an
 * `envelope()`, `compressed()` or `encrypted()` somewhere in it is what notices damage. Values stream, so that memory stays
 * small. Hand in what stands below a cache, which would answer by itself.
 *
 * An entry that cannot be read is reported and does not end the scrub. Rejects where the keys cannot be listed, where the
 * storage is closed, and with the reason of the signal.
 *
 * ```ts
 * const { damaged, failures } = await scrub(users);
 * ```
 */
export async function scrub(storage: AnyStorage, options: ScrubOptions = {}): Promise<ScrubReport> {
  const { prefix, startAfter, concurrency = 4, batchSize = 1000, maxFailures = 1000, onProgress, onFailure, signal } = options;
  checkCount("concurrency", concurrency);
  checkCount("batchSize", batchSize);
  checkCount("maxFailures", maxFailures, true);
  if (storage.capabilities.list === "none") refuseAbility("list, which a scrub needs", storage, "list");

  const counts = { entries: 0, bytes: 0, gone: 0, damaged: 0, unread: 0 };
  const failures: ScrubFailure[] = [];
  let { cursor } = options;
  const progress = (): ScrubProgress => ({ ...counts, ...(cursor !== undefined && { cursor }) });
  const one = async (key: string): Promise<void> => {
    signal?.throwIfAborted();
    try {
      const size = await readAll(storage, key, signal);
      if (size === undefined) counts.gone++;
      else {
        counts.entries++;
        counts.bytes += size;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (StorageError.is(error, "closed")) throw error;
      const failure = failureOf(key, error);
      counts[isDamage(error) ? "damaged" : "unread"]++;
      if (failures.length < maxFailures) failures.push(failure);
      onFailure?.(failure);
    }
    onProgress?.(progress());
  };

  for (let first = true; first || cursor !== undefined; first = false) {
    const page = await storage.list({ prefix, cursor, startAfter: first ? startAfter : undefined, limit: batchSize, signal });
    await forEachConcurrently(page.entries, concurrency, ({ key }) => one(key));
    ({ cursor } = page);
  }
  return { ...progress(), failures };
}

/** Reads a value to its end. Answers its bytes; `undefined` where there is no entry. */
async function readAll(storage: AnyStorage, key: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  if (!isByteStorage(storage) || storage.capabilities.streams === "none") {
    const value: unknown = await storage.get(key, { signal });
    return value === undefined ? undefined : value instanceof Uint8Array ? value.byteLength : 0;
  }
  const entry = await storage.read(key, { signal });
  if (entry === undefined) return undefined;
  let size = 0;
  for await (const chunk of entry.value) size += chunk.byteLength;
  return size;
}

function failureOf(key: string, error: unknown): ScrubFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { key, code: StorageError.is(error) ? error.code : "internal", message };
}
