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

/** A key that nothing at or before the position sorts after, or nearly so; what is rolled up there is passed over by `isPast`. */
export function startAfterOf({ after, kind }: Position): string {
  return kind === "key" ? after : after + lastCharacter;
}

/** Whether a name of a page was given already. */
export function isPast(name: string, position: Position | undefined): boolean {
  if (position === undefined) return false;
  return compareKeys(name, position.after) <= 0 || (position.kind === "prefix" && name.startsWith(position.after));
}

const lastCharacter = "\u{10ffff}";
