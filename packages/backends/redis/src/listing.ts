import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { defaultListLimit, StorageError } from "@stowage/core";
import type { Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { storageName } from "./errors.ts";
import type { Names } from "./names.ts";
import { page, run } from "./scripts.ts";

const call: CallOf = { operation: "list", writes: false };

/** What one list needs of the storage. */
export interface Listed {
  readonly connection: Connection;
  readonly names: Names;
  /** What is known of an entry, if it is still there. */
  readonly look: (key: string) => Promise<EntryInfo | undefined>;
  /** Whether an entry is still there. */
  readonly has: (key: string) => Promise<boolean>;
}

/** Calls of SCAN for one page, so that a page of few keys in a large database does not take for ever. */
const scansOfPage = 100;

/** A page by SCAN, which looks at all names of the database. What it finds over the limit goes into the cursor. */
export async function listUnordered(
  listed: Listed,
  { prefix = "", limit = defaultListLimit, cursor, ...options }: ListOptions,
): Promise<Page> {
  const position = readPosition(cursor);
  const found = new Set<string>();
  for (const key of position.left) {
    options.signal?.throwIfAborted();
    if (key.startsWith(prefix) && (await listed.has(key))) found.add(key);
  }
  let count = Math.min(Math.max(limit - found.size, 10), 1_000);
  let next: Position | undefined = { ...position, left: [] };
  for (let scans = 0; next !== undefined && found.size < limit && scans < scansOfPage; scans++) {
    options.signal?.throwIfAborted();
    const before = found.size;
    next = await scanOnce(listed, next, prefix, count, found);
    if (found.size === before) count = Math.min(count * 4, 1_000);
  }
  const keys = [...found];
  const left = keys.slice(limit);
  const entries = await entriesOf(listed, keys.slice(0, limit), options);
  if (next === undefined && left.length === 0) return { entries, prefixes: [] };
  return { entries, prefixes: [], cursor: JSON.stringify([next?.node ?? null, next?.cursor ?? "0", ...left]) };
}

/** Where an unordered list goes on. */
interface Position {
  /** The node of a cluster; `null`: behind the last one. */
  readonly node: string | null;
  readonly cursor: string;
  /** Keys that were found for the last page and had no room on it. */
  readonly left: readonly string[];
}

function readPosition(cursor: string | undefined): Position {
  if (cursor === undefined) return { node: "", cursor: "0", left: [] };
  try {
    const [node, position, ...left] = JSON.parse(cursor) as readonly unknown[];
    const sound =
      (node === null || typeof node === "string") && /^\d{1,20}$/.test(String(position)) && left.every((key) => typeof key === "string");
    if (sound) return { node, cursor: String(position), left };
  } catch {
    // No JSON.
  }
  throw notOurs();
}

/** Gives where to go on, or `undefined` behind the last node. */
async function scanOnce(
  { connection, names }: Listed,
  { node, cursor }: Position,
  prefix: string,
  count: number,
  found: Set<string>,
): Promise<Position | undefined> {
  if (node === null) return undefined;
  const nodes = connection.nodes();
  const at = node === "" ? 0 : nodes.findIndex(({ name }) => name === node);
  const scanned = nodes[at];
  if (scanned === undefined) {
    throw new StorageError("conflict", "The cluster has other nodes than when this list began; begin it anew.", {
      operation: "list",
      storage: storageName,
    });
  }
  const reply = (await scanned.scan(["SCAN", cursor, "MATCH", names.pattern(prefix), "COUNT", String(count)], call)) as readonly [
    Buffer,
    Buffer[],
  ];
  for (const name of reply[1]) found.add(names.keyOf(name.toString()));
  const next = reply[0].toString();
  if (next !== "0") return { node: scanned.name, cursor: next, left: [] };
  const following = nodes[at + 1];
  return following === undefined ? undefined : { node: following.name, cursor: "0", left: [] };
}

/** How a cursor of an ordered list begins: it is the last key of its page, or the last prefix. */
const afterKey = "key:";
const afterPrefix = "prefix:";

/** Keys that one script looks for. */
const longestScript = 1_000;

/** What comes after all keys that begin with the same text: no UTF-8 has this byte. */
const lastByte: Buffer = Buffer.of(0xff);

/** A page by the index, which looks at what it gives and no more. */
export async function listOrdered(listed: Listed, options: ListOptions): Promise<Page> {
  const { prefix = "", delimiter = "", limit = defaultListLimit, signal } = options;
  const end = prefix === "" ? "+" : Buffer.concat([Buffer.from(`(${prefix}`), lastByte]);
  const keys: string[] = [];
  const prefixes: string[] = [];
  let cursor: string | undefined;
  let from = startOf(options);
  for (let more = true; more;) {
    signal?.throwIfAborted();
    // One more than there is room for says whether there is a next page.
    const wanted = Math.min(limit - keys.length - prefixes.length + 1, longestScript);
    const { names, connection } = listed;
    const args = [names.entries, from, end, String(Buffer.byteLength(prefix)), delimiter, String(wanted)];
    const reply = (await run(connection, page, [names.index], args, call, (answer: Reply) => answer)) as readonly [
      number,
      Buffer,
      Buffer[],
    ];
    const found = reply[2];
    for (let at = 0; at < found.length; at++) {
      if (keys.length + prefixes.length === limit) return { entries: await entriesOf(listed, keys, options), prefixes, cursor: cursor! };
      if (found[at]!.length > 0) {
        keys.push(found[at]!.toString());
        cursor = afterKey + keys.at(-1)!;
      } else {
        prefixes.push(found[++at]!.toString());
        cursor = afterPrefix + prefixes.at(-1)!;
      }
    }
    more = reply[0] === 0;
    from = reply[1];
  }
  return { entries: await entriesOf(listed, keys, options), prefixes };
}

/** From where in the index a list begins, as ZRANGEBYLEX takes it. */
export function startOf({ prefix = "", startAfter, cursor }: ListOptions): Buffer {
  if (cursor?.startsWith(afterPrefix) === true) return Buffer.concat([Buffer.from(`(${cursor.slice(afterPrefix.length)}`), lastByte]);
  if (cursor !== undefined && !cursor.startsWith(afterKey)) throw notOurs();
  const last = cursor?.slice(afterKey.length) ?? startAfter;
  if (last === undefined || Buffer.compare(Buffer.from(last), Buffer.from(prefix)) < 0)
    return Buffer.from(prefix === "" ? "-" : `[${prefix}`);
  return Buffer.from(`(${last}`);
}

/** With `info`, what was removed since it was found is left out. */
async function entriesOf(listed: Listed, keys: readonly string[], { info = false }: ListOptions): Promise<EntryInfo[]> {
  if (!info) return keys.map((key) => ({ key }));
  const infos = await Promise.all(keys.map(listed.look));
  return infos.filter((found) => found !== undefined);
}

function notOurs(): StorageError {
  return new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: storageName });
}
