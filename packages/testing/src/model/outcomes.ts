import { StorageError } from "@stowage/core";
import type { Change, ModelEntry } from "./model.ts";

/** Whether a call that failed so may have taken effect. An error that is none of ours says nothing, so it may. */
export function mayHaveHappened(reason: unknown): boolean {
  return !StorageError.is(reason) || reason.outcome === "unknown";
}

/**
 * What may be under a key after a call failed that would have made these changes, in their order: what was there before,
 * and where the contract leaves it open, what any of the changes makes of it.
 */
export function possibleAfter(
  reason: unknown,
  key: string,
  before: ModelEntry | undefined,
  changes: readonly Change[],
): readonly (ModelEntry | undefined)[] {
  let possible: readonly (ModelEntry | undefined)[] = [before];
  for (const [index, change] of changes.entries()) {
    if (change.key !== key) continue;
    const happened = fateOf(reason, index, key);
    if (happened === "yes") possible = [change.after];
    else if (happened === "maybe") possible = [...possible, change.after];
  }
  return possible;
}

/** Whether one change of a call that failed has happened. */
export function fateOf(reason: unknown, index: number, key: string): "yes" | "no" | "maybe" {
  if (!isBulk(reason) || reason.failures === undefined) return mayHaveHappened(reason) ? "maybe" : "no";
  // The failures of a clear name the keys that it came across; those of a batch also where they stand in it.
  const failure =
    reason.operation === "clear" ? reason.failures.find((each) => each.key === key) : reason.failures.find((each) => each.index === index);
  if (failure === undefined) return "yes";
  return mayHaveHappened(failure.error) ? "maybe" : "no";
}

/** Whether an error tells of each of several changes; a single write may tell of each storage that it went to instead. */
function isBulk(reason: unknown): reason is StorageError {
  return StorageError.is(reason, "partial") && (reason.operation === "batch" || reason.operation === "clear");
}
