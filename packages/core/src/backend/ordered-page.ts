import type { EntryInfo, ListOptions, Page } from "../contract/contract.ts";
import { defaultListLimit } from "../contract/options.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Turns } from "./turns.ts";

/** A range of keys as UTF-8: from a key on, and before another. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly end: Uint8Array;
}

/** Reads entries of a range that have not expired, in order, at most so many; with `info` all that is known of them. */
export type ReadRange = (range: KeyRange, most: number, info: boolean) => readonly EntryInfo[] | Promise<readonly EntryInfo[]>;

/** Entries that are read at once, so that no read takes long. */
const mostAtOnce = 1_000;

/** No UTF-8 text has this byte, so it is behind every key that goes on. */
const lastByte = 0xff;

/** How a cursor begins: it is the last key of its page, or the last prefix. */
const afterKey = "key:";
const afterPrefix = "prefix:";

const encoder = new TextEncoder();

/** The keys under a prefix. */
export function rangeUnder(prefix: string): KeyRange {
  return { from: encoder.encode(prefix), end: behind(prefix) };
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
  let cursor = "";
  for (;;) {
    if (!turns.hasTime) await turns.next();
    signal?.throwIfAborted();
    // One more than there is room for says whether there is a next page.
    const most = Math.min(limit - entries.length - prefixes.length + 1, mostAtOnce);
    const reading = read({ from, end }, most, info);
    const found = reading instanceof Promise ? await reading : reading;
    let rolledUp = false;
    for (const entry of found) {
      if (entries.length + prefixes.length === limit) return { entries, prefixes, cursor };
      const { key } = entry;
      const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      rolledUp = at !== -1;
      if (rolledUp) {
        const group = key.slice(0, at + delimiter!.length);
        prefixes.push(group);
        cursor = afterPrefix + group;
        break;
      }
      entries.push(entry);
      cursor = afterKey + key;
    }
    if (!rolledUp && found.length < most) return { entries, prefixes };
    from = firstOf({ cursor }, storage);
  }
}

/** The first bytes that a page may begin with. A key is followed by that key and a zero byte, which no key has. */
function firstOf({ prefix = "", startAfter, cursor }: ListOptions, storage: string): Uint8Array {
  if (cursor?.startsWith(afterPrefix)) return behind(cursor.slice(afterPrefix.length));
  if (cursor !== undefined && !cursor.startsWith(afterKey)) {
    throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage });
  }
  const last = cursor?.slice(afterKey.length) ?? startAfter;
  const first = encoder.encode(prefix);
  if (last === undefined) return first;
  const next = encoder.encode(`${last}\0`);
  return isBefore(first, next) ? next : first;
}

/** What comes after all keys under a prefix. */
function behind(prefix: string): Uint8Array {
  const bytes = new Uint8Array(prefix.length * 3 + 1);
  const { written } = encoder.encodeInto(prefix, bytes);
  bytes[written] = lastByte;
  return bytes.subarray(0, written + 1);
}

function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at === -1 ? a.length < b.length : a[at]! < (b[at] ?? -1);
}
