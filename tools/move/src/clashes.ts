import type { AnyStorage } from "@stowage/core";
import { forEachConcurrently } from "@stowage/core";
import type { Survey, SurveyOptions } from "./survey.ts";

/**
 * Keys that each could be held alone, but not together: where keys are the paths of files, `a` cannot be beside `a/b`.
 * A storage says so only when it is to write the second of them, so it is found out from what both sides have.
 */
export async function findClashes(
  found: Survey,
  to: AnyStorage,
  { concurrency, signal }: SurveyOptions,
): Promise<{ key: string; reason: string }[]> {
  if (!hasPathsForKeys(to)) return [];
  const clashes: { key: string; reason: string }[] = [];
  const inTarget = new Map<string, Promise<boolean>>();
  const has = (key: string): Promise<boolean> => {
    const known = inTarget.get(key) ?? to.has(key, { signal });
    inTarget.set(key, known);
    return known;
  };
  const absent = [...found.values()].filter(({ state }) => state === "absent");
  await forEachConcurrently(absent, concurrency, async ({ key }) => {
    for (const above of keysAbove(key)) {
      if (isHeld(found, above) || (await has(above)))
        return void clashes.push({ key, reason: `It cannot be beside ${JSON.stringify(above)}.` });
    }
    const [below] = (await to.list({ prefix: `${key}/`, limit: 1, signal })).entries;
    if (below !== undefined) clashes.push({ key, reason: `It cannot be beside ${JSON.stringify(below.key)}.` });
  });
  return clashes;
}

/** Whether somewhere in a stack is a folder of files that have their keys for names. */
function hasPathsForKeys(storage: AnyStorage): boolean {
  return storage.details().options["layout"] === "tree" || storage.inner.some(hasPathsForKeys);
}

function isHeld(found: Survey, key: string): boolean {
  const state = found.get(key)?.state;
  return state !== undefined && state !== "impossible";
}

/** `a` and `a/b` for `a/b/c`. */
function keysAbove(key: string): string[] {
  const parts = key.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
