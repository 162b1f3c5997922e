import type { AnyStorage, ByteStorage, Entry, EntryInfo, PutOptions, Storage } from "../contract/contract.ts";
import { refuseAbility } from "../contract/options.ts";
import { StorageError } from "../contract/storage-error.ts";
import { tappedSource } from "../contract/tapped-source.ts";
import { forEachConcurrently } from "./concurrently.ts";
import { isByteStorage } from "./is-byte-storage.ts";
import { scan } from "./scan.ts";

/** What an entry has beside its value, and a storage may be unable to keep. */
export type Droppable = "metadata" | "expiry";

export interface CopyOptions {
  /** Only keys that begin so. @default every key */
  readonly prefix?: string | undefined;
  /**
   * Only these, in place of a list of `from`, and not together with `prefix`: what `scan` gives from some key on, or what a
   * caller has chosen. Values whose `size` is left out stream where both sides can.
   *
   * @default all that `from` lists
   */
  readonly entries?: Iterable<EntryInfo> | AsyncIterable<EntryInfo> | undefined;
  /** What happens to entries that are already there; `never` needs the condition "create". @default "always" */
  readonly overwrite?: "always" | "never" | undefined;
  /** What may be lost where the target cannot keep it. @default nothing: the copy is refused */
  readonly drop?: readonly Droppable[] | undefined;
  /** Entries on their way at once. @default 8 */
  readonly concurrency?: number | undefined;
  /** Told after each entry, and after each part of a streamed one. What it throws ends the copy. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /**
   * Told of an entry that could not be copied, and the copy goes on; what it throws ends the copy. It is not told of an
   * abort. @default the first failure ends the copy
   */
  readonly onFailure?: ((key: string, error: unknown) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CopyProgress {
  /** Entries that were copied. */
  readonly entries: number;
  /** Bytes that were copied, where the values are bytes. */
  readonly bytes: number;
  /** Entries that were there already. */
  readonly skipped: number;
  /** Entries that lost something. */
  readonly dropped: Readonly<Record<Droppable, number>>;
}

/** Values known to be smaller go as a whole, which is faster; the others as streams. */
const streamFrom = 256 * 1024;

/**
 * Copies all entries, or those below a prefix, from one storage into another, with metadata and expiry. Values stream
 * where both sides can. The first failure ends it, unless `onFailure` says otherwise, and what was copied stays;
 * `overwrite: "never"` goes on from there.
 *
 * Rejects with `unsupported` before anything is written where the target cannot keep the metadata or the expiry that the
 * source may have, unless `drop` names them.
 */
export async function copy<V>(from: Storage<V>, to: Storage<V>, options: CopyOptions = {}): Promise<CopyProgress> {
  const { prefix, entries, concurrency = 8, signal } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new StorageError("invalid-option", "concurrency must be a whole number of at least 1.");
  }
  const plan = planOf(from, to, options);
  const counts: Counts = { entries: 0, bytes: 0, skipped: 0, dropped: { metadata: 0, expiry: 0 } };
  const progress = (): void => options.onProgress?.({ ...counts, dropped: { ...counts.dropped } });
  const chosen = entries ?? scan(from, { prefix, signal, info: plan.streams });
  await forEachConcurrently(chosen, concurrency, async (info) => {
    signal?.throwIfAborted();
    try {
      await copyEntry(from, to, info, plan, counts, progress);
    } catch (error) {
      if (options.onFailure === undefined || signal?.aborted === true) throw error;
      options.onFailure(info.key, error);
    }
    progress();
  });
  return counts;
}

interface Counts {
  entries: number;
  bytes: number;
  skipped: number;
  readonly dropped: Record<Droppable, number>;
}

interface Plan {
  readonly streams: boolean;
  readonly onlyNew: boolean;
  readonly drops: ReadonlySet<Droppable>;
  readonly signal: AbortSignal | undefined;
}

function planOf(from: AnyStorage, to: AnyStorage, { overwrite = "always", drop = [], prefix, entries, signal }: CopyOptions): Plan {
  if (overwrite !== "always" && overwrite !== "never") throw new StorageError("invalid-option", 'overwrite must be "always" or "never".');
  if (prefix !== undefined && entries !== undefined) throw new StorageError("invalid-option", "copy takes prefix or entries, not both.");
  if (isByteStorage(from) !== isByteStorage(to)) {
    throw new StorageError("invalid-option", "copy needs bytes on both sides, or values on both.");
  }
  if (entries === undefined && from.capabilities.list === "none") refuseAbility("list, which a copy needs", from, "list");
  if (!drop.every((name) => name === "metadata" || name === "expiry")) {
    throw new StorageError("invalid-option", 'drop takes "metadata" and "expiry".');
  }
  const drops = new Set(lossesOf(from, to));
  for (const loss of drops) if (!drop.includes(loss)) refuseAbility(`the ${loss} of entries; name it in drop to copy without`, to, "put");
  const onlyNew = overwrite === "never";
  if (onlyNew && !to.capabilities.conditions.includes("create"))
    refuseAbility('overwrite: "never", which needs the condition "create"', to, "put");
  const canStream = isByteStorage(from) && from.capabilities.streams !== "none" && to.capabilities.streams !== "none";
  const streams = canStream && (!onlyNew || to.capabilities.conditions.includes("stream"));
  return { streams, onlyNew, drops, signal };
}

/** What entries of `from` may have and `to` cannot keep: what a copy must be told to drop. */
export function lossesOf({ capabilities: from }: AnyStorage, { capabilities: to }: AnyStorage): Droppable[] {
  const losses: Droppable[] = [];
  if (from.metadata && !to.metadata) losses.push("metadata");
  if (from.ttl !== false && to.ttl === false) losses.push("expiry");
  return losses;
}

async function copyEntry<V>(
  from: Storage<V>,
  to: Storage<V>,
  info: EntryInfo,
  plan: Plan,
  counts: Counts,
  progress: () => void,
): Promise<void> {
  const { key } = info;
  const { signal } = plan;
  if (plan.onlyNew && (await to.has(key, { signal }))) {
    counts.skipped++;
    return;
  }
  const streamed = plan.streams && (info.size ?? streamFrom) >= streamFrom;
  try {
    if (streamed) await streamEntry(from as unknown as ByteStorage, to as unknown as ByteStorage, key, plan, counts, progress);
    else await putEntry(from, to, key, plan, counts);
  } catch (error) {
    if (!plan.onlyNew || !StorageError.is(error, "precondition-failed")) throw error;
    counts.skipped++; // it came while this one was on its way
  }
}

async function putEntry<V>(from: Storage<V>, to: Storage<V>, key: string, plan: Plan, counts: Counts): Promise<void> {
  const entry = await from.getEntry(key, { signal: plan.signal });
  if (entry === undefined) return; // gone since it was listed
  await to.put(key, entry.value, putOptions(entry, plan));
  if (entry.value instanceof Uint8Array) counts.bytes += entry.value.byteLength;
  count(entry, plan, counts);
}

async function streamEntry(
  from: ByteStorage,
  to: ByteStorage,
  key: string,
  plan: Plan,
  counts: Counts,
  progress: () => void,
): Promise<void> {
  const entry = await from.read(key, { signal: plan.signal });
  if (entry === undefined) return;
  const { size } = entry;
  const metered = tappedSource(entry.value, () => (chunk) => {
    counts.bytes += chunk.byteLength;
    progress();
  });
  await to.write(key, metered, { ...putOptions(entry, plan), size });
  count(entry, plan, counts);
}

function putOptions({ metadata, expiresAt }: EntryInfo, { drops, onlyNew, signal }: Plan): PutOptions {
  return {
    signal,
    metadata: drops.has("metadata") ? undefined : metadata,
    expiresAt: drops.has("expiry") ? undefined : expiresAt,
    ifNoneMatch: onlyNew ? "*" : undefined,
  };
}

function count<V>({ metadata, expiresAt }: Entry<V> | EntryInfo, { drops }: Plan, counts: Counts): void {
  counts.entries++;
  if (drops.has("metadata") && metadata !== undefined && Object.keys(metadata).length > 0) counts.dropped.metadata++;
  if (drops.has("expiry") && expiresAt !== undefined) counts.dropped.expiry++;
}
