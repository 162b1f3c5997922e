import type { EntryInfo, ListOptions, Page, Turns } from "@stowage/core";
import { defaultListLimit, StorageError } from "@stowage/core";
import type { InfoRow, Rows } from "./rows.ts";
import { lastByte } from "./writes.ts";

/** Rows of one query, so that none takes long. */
const longestQuery = 1_000;

/** How a cursor begins: it is the last key of its page, or the last prefix. */
const afterKey = "key:";
const afterPrefix = "prefix:";

/** One page. What is rolled up into a prefix is stepped over, not walked through. */
export async function listPage(rows: Rows, turns: Turns, now: number, options: ListOptions): Promise<Page> {
  const { prefix = "", delimiter, limit = defaultListLimit, info = false, signal } = options;
  const end = behind(prefix);
  const entries: EntryInfo[] = [];
  const prefixes: string[] = [];
  let from = startOf(options);
  let cursor = "";
  for (;;) {
    if (!turns.hasTime) await turns.next();
    signal?.throwIfAborted();
    // One more than there is room for says whether there is a next page.
    const wanted = Math.min(limit - entries.length - prefixes.length + 1, longestQuery);
    const found = info ? rows.infos(from, end, now, wanted) : rows.keys(from, end, now, wanted);
    for (const row of found) {
      if (entries.length + prefixes.length === limit) return { entries, prefixes, cursor };
      const [key] = row;
      const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      if (at === -1) {
        entries.push(info ? infoOf(key, row.slice(1) as unknown as InfoRow) : { key });
        cursor = afterKey + key;
      } else {
        const group = key.slice(0, at + delimiter!.length);
        prefixes.push(group);
        cursor = afterPrefix + group;
        break;
      }
    }
    if (found.length < wanted && !cursor.startsWith(afterPrefix)) return { entries, prefixes };
    if (found.length === 0) return { entries, prefixes };
    from = startOf({ cursor });
  }
}

export function infoOf(key: string, [size, etag, modifiedAt, expiresAt, metadata]: InfoRow): EntryInfo {
  return {
    key,
    size,
    etag,
    modifiedAt,
    ...(expiresAt !== null && { expiresAt }),
    ...(metadata !== null && { metadata: JSON.parse(metadata) as Record<string, string> }),
  };
}

/** The first bytes that a page may begin with. A key is followed by that key and a zero byte, which no key has. */
function startOf({ prefix = "", startAfter, cursor }: ListOptions): Uint8Array {
  if (cursor?.startsWith(afterPrefix)) return behind(cursor.slice(afterPrefix.length));
  if (cursor !== undefined && !cursor.startsWith(afterKey)) {
    throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: "sqlite" });
  }
  const first = Buffer.from(prefix);
  const last = cursor?.slice(afterKey.length) ?? startAfter;
  if (last === undefined) return first;
  const next = Buffer.from(`${last}\0`);
  return Buffer.compare(next, first) > 0 ? next : first;
}

/** What comes after all keys under a prefix. */
function behind(prefix: string): Uint8Array {
  return Buffer.concat([Buffer.from(prefix), Buffer.of(lastByte)]);
}
