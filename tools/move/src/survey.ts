import type { AnyStorage, Droppable, EntryInfo } from "@stowage/core";
import { forEachConcurrently, scan, StorageError } from "@stowage/core";
import type { Comparison } from "./compare.ts";
import { compareEntry, isUnreadable, readable } from "./compare.ts";
import { findClashes } from "./clashes.ts";
import type { Progress } from "./progress.ts";

/** What is known of an entry of the source. */
export interface Found extends Pick<EntryInfo, "key" | "size">, Omit<Comparison, "state"> {
  /** How it stands in the target; `impossible` where the target cannot hold its key, or the source cannot read its value. */
  readonly state: Comparison["state"] | "impossible";
  /** Why it is impossible. */
  readonly reason?: string;
}

/** Every entry of the source by its key. */
export type Survey = ReadonlyMap<string, Found>;

export interface SurveyOptions {
  readonly prefix: string | undefined;
  readonly concurrency: number;
  /** What the target cannot keep, which is not compared. */
  readonly losses: readonly Droppable[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks at every key of the source, and at what the target has there. It only reads: a target that cannot hold a key
 * refuses to look for it, too.
 */
export async function survey(from: AnyStorage, to: AnyStorage, options: SurveyOptions, progress: Progress): Promise<Survey> {
  const { prefix, concurrency, signal } = options;
  const found = new Map<string, Found>();
  const large: EntryInfo[] = [];
  const look = async (info: EntryInfo): Promise<void> => {
    signal?.throwIfAborted();
    const one = await lookAt(from, to, info, options);
    if (one !== undefined) found.set(one.key, one);
    progress.show(found.size);
  };
  try {
    await forEachConcurrently(scan(from, { prefix, signal, info: true }), concurrency, async (info) => {
      if (isLarge(info)) large.push(info);
      else await look(info);
    });
    await forEachConcurrently(large, largeAtOnce(concurrency), look);
  } finally {
    progress.stop();
  }
  for (const { key, reason } of await findClashes(found, to, options)) found.set(key, { ...found.get(key)!, state: "impossible", reason });
  return found;
}

/** Entries that are on their way by fours, because a storage may have some megabytes of each in memory. */
export const isLarge = ({ size = 0 }: Pick<Found, "size">): boolean => size >= 1024 * 1024;
export const largeAtOnce = (concurrency: number): number => Math.min(concurrency, 4);

export function inState(found: Survey, state: Found["state"]): Found[] {
  return [...found.values()].filter((one) => one.state === state);
}

async function lookAt(from: AnyStorage, to: AnyStorage, info: EntryInfo, { losses, signal }: SurveyOptions): Promise<Found | undefined> {
  const { key, size, etag: version } = info;
  const identity = { key, ...(size !== undefined && { size }) };
  const impossible = (reason: string): Found => ({ ...identity, version, state: "impossible", reason });
  try {
    const there = await readable(() => to.head(key, { signal }));
    if (there === undefined) return { ...identity, version, state: "absent" };
  } catch (error) {
    if (!StorageError.is(error, "invalid-key")) throw error;
    return impossible(error.message);
  }
  try {
    const comparison = await compareEntry(from, to, info, losses, signal);
    return comparison && { ...identity, ...comparison };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return impossible(`The source cannot read it. ${error.message}`);
  }
}
