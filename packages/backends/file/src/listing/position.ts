import { compareKeys, StorageError } from "@stowage/core";
import { storageName } from "../errors.ts";

/** A place between keys: just after one, or after all that start with a text. */
export interface Position {
  readonly text: string;
  /** Also after all that goes on with this text. */
  readonly past: boolean;
}

/** A position as seen from within a folder; `undefined` where all that is in the folder comes after it. */
export function positionIn({ text, past }: Position, folder: string): Position | undefined {
  if (text.startsWith(folder)) return { text: text.slice(folder.length), past };
  if (folder.startsWith(text)) return past ? everything : undefined;
  return compareKeys(folder, text) < 0 ? everything : undefined;
}

/** After all that a folder holds. */
const everything: Position = { text: "", past: true };

/** Whether something with this text is before a position, or at it. A folder is when all that is in it is. */
export function isBefore({ text: at, past }: Position, text: string, isFolder: boolean): boolean {
  if (past && text.startsWith(at)) return true;
  if (isFolder && at.startsWith(text)) return false;
  return compareKeys(text, at) <= 0;
}

/**
 * The place where a page ended, for any process to go on from. It carries a checksum over the place and what was asked
 * for, so that a damaged cursor, or one of another list, is refused instead of giving a wrong page.
 */
export function toCursor(position: Position, prefix: string, delimiter: string | undefined): string {
  const place = (position.past ? "p" : "k") + position.text;
  return Buffer.from(checksum(place, prefix, delimiter) + place, "utf8").toString("base64url");
}

export function fromCursor(cursor: string, prefix: string, delimiter: string | undefined): Position {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  const place = text.slice(checksumSize);
  const whole = Buffer.from(text, "utf8").toString("base64url") === cursor;
  if (whole && /^[kp]./s.test(place) && text.startsWith(checksum(place, prefix, delimiter))) {
    return { text: place.slice(1), past: place.startsWith("p") };
  }
  throw new StorageError("invalid-option", "The cursor is not one of a page of this list; it goes with the same prefix and delimiter.", {
    operation: "list",
    storage: storageName,
  });
}

const checksumSize = 8;

/** FNV-1a: against accidents, not against people. */
function checksum(place: string, prefix: string, delimiter: string | undefined): string {
  let hash = 0x811c9dc5;
  for (const part of [place, prefix, delimiter ?? "\0"]) {
    for (let index = 0; index < part.length; index++) hash = Math.imul(hash ^ part.charCodeAt(index), 0x01000193);
    hash = Math.imul(hash ^ 0x10000, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(checksumSize, "0");
}
