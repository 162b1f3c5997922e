import type { AnyStorage, Droppable } from "@stowage/core";
import { copy, isByteStorage, lossesOf, StorageError } from "@stowage/core";
import { isUnreadable } from "./compare.ts";
import type { Failed } from "./differences.ts";
import { findDifferences } from "./differences.ts";
import { isOnePlace, removeCompared } from "./remove.ts";
import type { Teller } from "./report.ts";
import { entries, isWhole, mayBegin, tellKeys } from "./report.ts";
import type { Found, Survey, SurveyOptions } from "./survey.ts";
import { inState, isLarge, largeAtOnce, survey } from "./survey.ts";

export interface MoveOptions {
  /** Only keys that begin so. @default every key */
  readonly prefix?: string | undefined;
  /** What may be lost where the target cannot keep it. @default nothing */
  readonly drop?: readonly Droppable[] | undefined;
  /** Replaces what the target has under the same keys with another content. @default false: nothing is begun */
  readonly overwrite?: boolean | undefined;
  /** Nobody else writes to the target meanwhile. @default false */
  readonly singleWriter?: boolean | undefined;
  /** Removes from the source what was compared, once all of it is the same. @default false */
  readonly remove?: boolean | undefined;
  /** Only looks. @default false */
  readonly dryRun?: boolean | undefined;
  /** Entries on their way at once. @default 64 */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Both storages, just opened. */
export interface Opened {
  readonly from: AnyStorage;
  readonly to: AnyStorage;
  close(): Promise<void>;
}

/**
 * Copies all entries from one storage into another, opens both anew, and compares every entry. Whether all are the same.
 *
 * It remembers nothing from run to run: what an earlier one brought over is recognised by being the same.
 */
export async function move(open: () => Promise<Opened>, options: MoveOptions, teller: Teller): Promise<boolean> {
  const { dryRun = false, overwrite = false, remove = false } = options;
  const began = await opened(open, async ({ from, to }) => {
    const obstacles = obstaclesOf(from, to, options);
    for (const obstacle of obstacles) teller.say(obstacle);
    if (obstacles.length > 0) return undefined;
    const before = await survey(from, to, surveyOptions(from, to, options), teller.startProgress("look"));
    if (!mayBegin(before, overwrite, teller)) return undefined;
    return { before, copied: dryRun ? undefined : await copyFound(from, to, before, options, teller) };
  });
  if (began === undefined) return false;
  const { before, copied } = began;
  if (copied === undefined) return true;
  // What was written is read back through storages that have not seen it: no cache answers for the disk.
  return await opened(open, async ({ from, to }) => {
    const after = copied.wrote
      ? await survey(from, to, surveyOptions(from, to, options), teller.startProgress("verify", before.size))
      : before;
    if (!isWhole(await findDifferences(before, after, copied.failed, to), teller)) return false;
    teller.say(`Done: ${entries(after.size)}, the same in the target as in the source; ${copied.entries} of them copied by this run.`);
    return !remove || (await emptySource(from, to, after, options, teller));
  });
}

/** Runs a piece of work with both storages open, and closes them however it ends. */
async function opened<T>(open: () => Promise<Opened>, work: (storages: Opened) => Promise<T>): Promise<T> {
  const storages = await open();
  try {
    return await work(storages);
  } finally {
    await storages.close();
  }
}

function surveyOptions(from: AnyStorage, to: AnyStorage, { prefix, concurrency = 64, signal }: MoveOptions): SurveyOptions {
  return { prefix, concurrency, losses: lossesOf(from, to), signal };
}

/** Why these two storages cannot be moved into each other as it was asked, each in a sentence. */
function obstaclesOf(from: AnyStorage, to: AnyStorage, { drop = [], remove = false, singleWriter = false }: MoveOptions): string[] {
  const obstacles: string[] = [];
  if (from.capabilities.list === "none") obstacles.push("FROM cannot list its keys.");
  if (isByteStorage(from) !== isByteStorage(to)) {
    obstacles.push("One of the storages holds bytes and the other values: give both a codec, or neither.");
  }
  if ([from, to].some((storage) => backendsOf(storage).every(({ name }) => name === "memory"))) {
    obstacles.push("A storage in memory ends with this command: FROM and TO must be elsewhere.");
  }
  for (const loss of lossesOf(from, to)) {
    if (drop.includes(loss)) continue;
    obstacles.push(`TO cannot keep the ${loss} of entries: put the layer envelope on it, or copy without by --drop ${loss}.`);
  }
  if (!singleWriter && !to.capabilities.conditions.includes("create")) {
    obstacles.push("TO cannot write just where nothing is (the condition create): say by --single-writer that nobody else writes to it.");
  }
  if (remove && !from.capabilities.conditions.includes("delete")) {
    obstacles.push("FROM cannot delete just one version (the condition delete): --remove could take what was changed meanwhile.");
  }
  return obstacles;
}

interface Copied {
  /** Entries that were copied by this run. */
  readonly entries: number;
  readonly failed: readonly Failed[];
  /** Whether anything may have been written since the first look. */
  readonly wrote: boolean;
}

async function copyFound(from: AnyStorage, to: AnyStorage, found: Survey, options: MoveOptions, teller: Teller): Promise<Copied> {
  const { drop, concurrency = 64, singleWriter = false, signal } = options;
  const absent = inState(found, "absent");
  const different = inState(found, "different");
  const total = absent.length + different.length;
  if (total === 0) return { entries: 0, failed: [], wrote: false };
  const failed: Failed[] = [];
  const progress = teller.startProgress("copy", total);
  const dropped = { metadata: 0, expiry: 0 };
  let copied = 0;
  let done = 0;
  let bytes = 0;
  const copyThese = async (these: readonly Found[], overwrite: "always" | "never", atOnce: number): Promise<void> => {
    const [doneBefore, bytesBefore] = [done, bytes];
    const counts = await copy(from, to, {
      entries: these,
      overwrite,
      drop,
      concurrency: atOnce,
      signal,
      onFailure(key, error) {
        if (!isAboutOneEntry(error)) throw error;
        failed.push({ key, reason: error.message });
      },
      onProgress(now) {
        done = doneBefore + now.entries + now.skipped;
        bytes = bytesBefore + now.bytes;
        progress.show(done, bytes);
      },
    });
    copied += counts.entries;
    for (const loss of losses) dropped[loss] += counts.dropped[loss];
  };
  try {
    for (const [these, overwrite] of [
      [absent, singleWriter ? "always" : "never"],
      [different, "always"],
    ] as const) {
      await copyThese(
        these.filter((each) => !isLarge(each)),
        overwrite,
        concurrency,
      );
      await copyThese(these.filter(isLarge), overwrite, largeAtOnce(concurrency));
    }
    await to.flush({ signal });
    for (const loss of losses) if (dropped[loss] > 0) teller.say(`${entries(dropped[loss])} lost their ${loss}, as --drop says.`);
    return { entries: copied, failed, wrote: true };
  } finally {
    progress.stop();
  }
}

async function emptySource(from: AnyStorage, to: AnyStorage, compared: Survey, options: MoveOptions, teller: Teller): Promise<boolean> {
  const { prefix, concurrency = 64, signal } = options;
  if (compared.size === 0) return true;
  const removing = { prefix, concurrency, signal };
  if (await isOnePlace(from, to, removing)) {
    teller.say("FROM and TO are one place by two names: nothing was removed.");
    return false;
  }
  const stayed = await removeCompared(from, compared, removing, teller.startProgress("remove", compared.size));
  tellKeys(teller, "Changed since it was compared, and so not removed, was", stayed);
  teller.say(`${entries(compared.size - stayed.length)} removed from the source.`);
  return stayed.length === 0;
}

/** Whether other entries may well be copied where this one could not. */
function isAboutOneEntry(error: unknown): error is StorageError {
  return isUnreadable(error) || (["invalid-key", "invalid-value", "too-large"] as const).some((code) => StorageError.is(error, code));
}

const losses: readonly Droppable[] = ["metadata", "expiry"];

/** The backends that a stack stands on. */
function backendsOf(storage: AnyStorage): AnyStorage[] {
  return storage.inner.length === 0 ? [storage] : storage.inner.flatMap(backendsOf);
}
