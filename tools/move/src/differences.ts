import type { AnyStorage } from "@stowage/core";
import type { Survey } from "./survey.ts";

/** What a second look found otherwise than it should be. */
export interface Differences {
  /** Could not be copied, or cannot be read any more in the source. */
  readonly failed: readonly Failed[];
  /** The target does not give what was written there. */
  readonly lost: readonly string[];
  readonly damaged: readonly string[];
  /** The source changed while it was copied. */
  readonly changed: readonly string[];
  readonly arrived: readonly string[];
  /** Removed from the source, and still in the target. */
  readonly left: readonly string[];
}

export interface Failed {
  readonly key: string;
  readonly reason: string;
}

/** Compares two looks at the source, one from before the copy and one from after it. */
export async function findDifferences(before: Survey, after: Survey, notCopied: readonly Failed[], to: AnyStorage): Promise<Differences> {
  const failed = [...notCopied];
  const knownToFail = new Set(notCopied.map(({ key }) => key));
  const lost: string[] = [];
  const damaged: string[] = [];
  const changed: string[] = [];
  const arrived: string[] = [];
  const left: string[] = [];
  for (const { key, state, version, reason = "" } of after.values()) {
    if (state === "same" || knownToFail.has(key)) continue;
    const known = before.get(key);
    if (state === "impossible") failed.push({ key, reason });
    else if (known === undefined) arrived.push(key);
    else if (state === "absent") lost.push(key);
    else if (known.version !== undefined && known.version !== version) changed.push(key);
    else damaged.push(key);
  }
  for (const key of before.keys()) if (!after.has(key) && (await to.has(key))) left.push(key);
  return { failed, lost, damaged, changed, arrived, left };
}
