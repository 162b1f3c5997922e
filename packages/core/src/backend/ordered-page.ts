import type { EntryInfo, ListOptions, Page } from "../contract/contract.ts";
import { compareKeys } from "../contract/keys.ts";
import { defaultListLimit } from "../contract/options.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Turns } from "./turns.ts";

/** A range of keys by their UTF-8: from a text on, and before another, if there is an end. */
export interface KeyRange {
  readonly from: string;
  readonly end: string | undefined;
}

/** Reads entries of a range that have not expired, in order, at most so many; with `info` all that is known of them. */
export type ReadRange = (range: KeyRange, most: number, info: boolean) => readonly EntryInfo[] | Promise<readonly EntryInfo[]>;

/** Entries that are read at once, so that no read takes long: a page as large as most are, and one more. */
const mostAtOnce: number = defaultListLimit + 1;

/** The last code point. */
const last = 0x10ffff;

/** How a cursor begins: it is the last key of its page, or the last prefix. */
const afterKey = "key:";
const afterPrefix = "prefix:";

/** The keys under a prefix. */
export function rangeUnder(prefix: string): KeyRange {
  return { from: prefix, end: behind(prefix) };
}

/**
 * One page of a list over a store whose keys are in order. What is rolled up into a prefix is stepped over, not walked
 * through.
 *
 * @throws StorageError `invalid-option` where the cursor is not one that it gave
 */
export async function orderedPage(options: ListOptions, storage: string, turns: Turns, read: ReadRange): Promise<Page> {
  const { prefix = "", delimiter, limit = defaultListLimit, info = false, signal } = options;
  const end = behind(prefix);
  const entries: EntryInfo[] = [];
  const prefixes: string[] = [];
  let from = firstOf(options, storage);
  if (from === undefined) return { entries, prefixes };
  let rolledUp = false; // whether what was taken last is a prefix
  const cursor = (): string => (rolledUp ? afterPrefix + prefixes.at(-1)! : afterKey + entries.at(-1)!.key);
  for (;;) {
    if (!turns.hasTime) await turns.next();
    signal?.throwIfAborted();
    // One more than there is room for says whether there is a next page.
    const most = Math.min(limit - entries.length - prefixes.length + 1, mostAtOnce);
    const reading = read({ from, end }, most, info);
    const found = reading instanceof Promise ? await reading : reading;
    for (const entry of found) {
      if (entries.length + prefixes.length === limit) return { entries, prefixes, cursor: cursor() };
      const { key } = entry;
      const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      rolledUp = at !== -1;
      if (rolledUp) {
        prefixes.push(key.slice(0, at + delimiter!.length));
        break;
      }
      entries.push(entry);
    }
    if (found.length === 0 || (!rolledUp && found.length < most)) return { entries, prefixes };
    const next = firstOf({ cursor: cursor() }, storage);
    if (next === undefined) return { entries, prefixes };
    from = next;
  }
}

/** Where a page begins; `undefined` behind all keys. A key is followed by that key and a zero, which no key has. */
function firstOf({ prefix = "", startAfter, cursor }: ListOptions, storage: string): string | undefined {
  if (cursor?.startsWith(afterPrefix + prefix)) return behind(cursor.slice(afterPrefix.length));
  if (cursor !== undefined && !cursor.startsWith(afterKey + prefix)) {
    throw new StorageError("invalid-option", "The cursor is not one that this storage gave for this prefix.", {
      operation: "list",
      storage,
    });
  }
  const before = cursor?.slice(afterKey.length) ?? startAfter;
  return before === undefined || compareKeys(before, prefix) < 0 ? prefix : `${before}\0`;
}

/** What comes after all keys under a prefix, which is its last code point made larger; `undefined` where nothing can. */
function behind(prefix: string): string | undefined {
  const points = Array.from(prefix, (letter) => letter.codePointAt(0)!);
  while (points.at(-1) === last) points.pop();
  const point = points.pop();
  if (point === undefined) return undefined;
  const next = point === 0xd7ff ? 0xe000 : point + 1; // what is between are no code points of text
  return String.fromCodePoint(...points, next);
}
