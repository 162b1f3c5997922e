import type { ListOptions } from "@stowage/core";
import { compareKeys, StorageError } from "@stowage/core";

/** Where a page ended: after a key, or after everything under a prefix. Every replica and every process can go on there. */
export interface Position {
  readonly after: string;
  readonly kind: "key" | "prefix";
}

export function cursorOf({ after, kind }: Position): string {
  return `${kind}:${after}`;
}

/** Where a list begins: by its cursor, or after a key. */
export function positionOf({ cursor, startAfter }: ListOptions): Position | undefined {
  if (cursor === undefined) return startAfter === undefined ? undefined : { after: startAfter, kind: "key" };
  for (const kind of ["key", "prefix"] as const) if (cursor.startsWith(`${kind}:`)) return { after: cursor.slice(kind.length + 1), kind };
  throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: "composite" });
}

/** The key after which a replica is to list. After a prefix that is nearly its end; `isPast` knows the rest. */
export function startAfterOf({ after, kind }: Position): string {
  return kind === "key" ? after : after + lastCharacter;
}

/** Whether a name of a page was given already: what is rolled up begins before a key in its midst. */
export function isPast(name: string, position: Position | undefined): boolean {
  if (position?.kind !== "prefix") return false;
  return name.startsWith(position.after) || compareKeys(name, position.after) <= 0;
}

const lastCharacter = "\u{10ffff}";
