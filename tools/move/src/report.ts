import type { Differences, Failed } from "./differences.ts";
import type { StartProgress } from "./progress.ts";
import type { Survey } from "./survey.ts";
import { inState } from "./survey.ts";

/** Where the user is told what happens. */
export interface Teller {
  say(line: string): void;
  readonly startProgress: StartProgress;
}

/** Says what is in the way of beginning, if anything is. */
export function mayBegin(found: Survey, overwrite: boolean, teller: Teller): boolean {
  const impossible = inState(found, "impossible");
  const different = inState(found, "different");
  tellKeys(
    teller,
    "The target cannot hold",
    impossible.map(({ key, reason = "" }) => ({ key, reason })),
  );
  if (!overwrite)
    tellKeys(
      teller,
      "The target has something else under",
      different.map(({ key }) => key),
    );
  const counts = [
    `${inState(found, "same").length} are in the target already`,
    `${inState(found, "absent").length} are to be copied`,
    `${different.length} differ`,
    `${impossible.length} cannot be held`,
  ];
  teller.say(`${entries(found.size)} in the source: ${counts.join(", ")}.`);
  if (impossible.length === 0 && (overwrite || different.length === 0)) return true;
  teller.say("Nothing was copied: change these keys, or choose others by --prefix. What differs is replaced with --overwrite.");
  return false;
}

/** Says what is not as it should be. Whether nothing is. */
export function isWhole({ failed, lost, damaged, changed, arrived, left }: Differences, teller: Teller): boolean {
  const whole = [failed, lost, damaged, changed, arrived, left].every((keys) => keys.length === 0);
  tellKeys(teller, "There was no copying", failed);
  tellKeys(teller, "The target did not keep", lost);
  tellKeys(teller, "The target gives something else than was written for", damaged);
  tellKeys(teller, "The source was changed after it was copied for", changed);
  tellKeys(teller, "The source has since got", arrived);
  tellKeys(teller, "The source has no longer, but the target still has", left);
  if (whole) return true;
  teller.say(
    "Incomplete. Nothing was removed from the source. The same command copies what is not in the target; --overwrite also what differs.",
  );
  return false;
}

/** A heading, and a line for each key. */
export function tellKeys(teller: Teller, heading: string, keys: readonly (string | Failed)[]): void {
  if (keys.length === 0) return;
  teller.say(`${heading} ${keys.length === 1 ? "this key" : `these ${keys.length} keys`}:`);
  for (const each of keys) {
    if (typeof each === "string") teller.say(`  ${JSON.stringify(each)}`);
    else teller.say(`  ${JSON.stringify(each.key)}  ${each.reason}`);
  }
}

export const entries = (count: number): string => (count === 1 ? "1 entry" : `${count} entries`);
