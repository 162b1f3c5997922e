import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, defaultListLimit, StorageError } from "@stowage/core";

/** Keys in UTF-8 order from the first that is not before the start. */
type KeysFrom = (isBefore: (key: string) => boolean) => Iterator<string, void>;

/** One page of ordered keys. What is rolled up into a prefix is stepped over, not walked through. */
export function pageOf(keysFrom: KeysFrom, options: ListOptions, infoOf: (key: string) => EntryInfo, storage: string): Page {
  const { prefix = "", delimiter, limit = defaultListLimit } = options;
  const entries: EntryInfo[] = [];
  const prefixes: string[] = [];
  let cursor: string | undefined;
  let keys = keysFrom(beforeStart(options, storage));
  for (let step = keys.next(); step.done !== true && step.value.startsWith(prefix); step = keys.next()) {
    if (entries.length + prefixes.length === limit) return { entries, prefixes, cursor: cursor! };
    const key = step.value;
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (end === -1) {
      entries.push(infoOf(key));
      cursor = afterKey + key;
    } else {
      const group = key.slice(0, end + delimiter!.length);
      prefixes.push(group);
      cursor = afterPrefix + group;
      keys = keysFrom((other) => isUpTo(other, group));
    }
  }
  return { entries, prefixes };
}

/** How a cursor begins: it is the last key of its page, or the last prefix. */
const afterKey = "key:";
const afterPrefix = "prefix:";

function beforeStart({ prefix = "", startAfter, cursor }: ListOptions, storage: string): (key: string) => boolean {
  if (cursor?.startsWith(afterPrefix)) {
    const group = cursor.slice(afterPrefix.length);
    return (key) => isUpTo(key, group);
  }
  if (cursor !== undefined && !cursor.startsWith(afterKey)) {
    throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage });
  }
  const last = cursor?.slice(afterKey.length) ?? startAfter;
  if (last === undefined) return (key) => compareKeys(key, prefix) < 0;
  return (key) => compareKeys(key, last) <= 0 || compareKeys(key, prefix) < 0;
}

/** Whether a key sorts before all that comes after a prefix and everything under it. */
function isUpTo(key: string, group: string): boolean {
  return key.startsWith(group) || compareKeys(key, group) < 0;
}
