import type { ByteStorage, Clock, EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, defaultListLimit, scan, StorageError } from "@stowage/core";
import type { Slots } from "./slots.ts";
import { infoOf, isLiving, withoutEtag } from "./write.ts";

/** What lies under what is listed. */
export interface Listed {
  readonly slots: Slots;
  readonly below: ByteStorage;
  readonly clock: Clock;
}

/** An entry, or a rolled-up prefix where it has no info. */
interface Item {
  readonly name: string;
  readonly info?: EntryInfo;
}

/** What is pending, as it was before the storage below was asked: what arrives there meanwhile is on one of the two. */
interface Pending {
  readonly living: ReadonlyMap<string, Item>;
  readonly gone: ReadonlySet<string>;
}

/** Sorts behind every key that a prefix stands for. */
const beyond = "\u{10FFFF}".repeat(256);

/** One page of what is below with what is pending over it. Cursors are positions, which any process can go on from. */
export async function orderedPage({ slots, below, clock }: Listed, options: ListOptions): Promise<Page> {
  const { prefix, delimiter, limit = defaultListLimit, info, signal } = options;
  const floor = options.cursor === undefined ? options.startAfter : floorOf(options.cursor);
  const pending = pendingFrom(floor, { slots, clock, options: { ...options, limit } });
  let page = await below.list({ prefix, delimiter, limit, info, signal, startAfter: floor });
  while (page.cursor !== undefined && page.entries.length + page.prefixes.length === 0) {
    page = await below.list({ prefix, delimiter, limit, info, signal, cursor: page.cursor });
  }
  const theirs = itemsOf(page);
  const last = page.cursor === undefined ? undefined : theirs.at(-1);
  const merged = merge(theirs, pending, last && endOf(last));
  const given: Item[] = [];
  for (const [index, item] of merged.entries()) {
    if (given.length === limit) return pageOf(given, merged[index - 1]);
    const isDoubtful = item.info === undefined && !pending.living.has(item.name);
    if (isDoubtful && (await isEmpty(below, item.name, { pending: pending.gone, floor, signal }))) continue;
    given.push(item);
  }
  return pageOf(given, last);
}

/** First what is pending, then what is below: what arrives there meanwhile is found there. */
export async function unorderedPage({ slots, below, clock }: Listed, options: ListOptions): Promise<Page> {
  const { prefix = "", limit = defaultListLimit, info, signal } = options;
  const [phase, rest] = options.cursor === undefined ? ["pending", ""] : split(options.cursor, ["pending", "inner"]);
  const ours: EntryInfo[] = [];
  if (phase === "pending") {
    for (const { newest } of slots.under(prefix, rest === "" ? undefined : rest)) {
      if (newest === undefined || !isLiving(newest, clock)) continue;
      if (ours.length === limit) return { entries: ours, prefixes: [], cursor: `pending:${ours.at(-1)!.key}` };
      ours.push(info === true ? infoOf(newest) : { key: newest.key });
    }
    if (ours.length === limit) return { entries: ours, prefixes: [], cursor: "inner:" };
  }
  const cursor = phase === "inner" && rest !== "" ? rest : undefined;
  const page = await below.list({ prefix: options.prefix, limit: limit - ours.length, info, signal, cursor });
  const given = new Set(ours.map(({ key }) => key));
  const theirs = page.entries.flatMap((entry) => {
    const write = slots.get(entry.key)?.newest;
    if (given.has(entry.key) || (write !== undefined && !isLiving(write, clock))) return [];
    return write === undefined ? (withoutEtag(entry) ?? entry) : info === true ? infoOf(write) : { key: entry.key };
  });
  return { entries: [...ours, ...theirs], prefixes: [], ...(page.cursor !== undefined && { cursor: `inner:${page.cursor}` }) };
}

/** Looks no further than a page can reach. */
function pendingFrom(
  floor: string | undefined,
  { slots, clock, options }: { readonly slots: Slots; readonly clock: Clock; readonly options: ListOptions & { readonly limit: number } },
): Pending {
  const { prefix = "", delimiter, limit, info } = options;
  const living = new Map<string, Item>();
  const gone = new Set<string>();
  for (const { key, newest } of slots.under(prefix, floor)) {
    if (newest === undefined) continue;
    if (!isLiving(newest, clock)) gone.add(key);
    else {
      const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const name = at === -1 ? key : key.slice(0, at + delimiter!.length);
      if (living.has(name)) continue;
      living.set(name, at === -1 ? { name, info: info === true ? infoOf(newest) : { key } } : { name });
      if (living.size > limit) break;
    }
  }
  return { living, gone };
}

/** In order, up to `end`: behind that the storage below has more to tell. */
function merge(theirs: readonly Item[], { living, gone }: Pending, end: string | undefined): Item[] {
  const merged = theirs.filter(({ name, info }) => !living.has(name) && !(info !== undefined && gone.has(name)));
  for (const item of living.values()) if (end === undefined || compareKeys(item.name, end) <= 0) merged.push(item);
  return merged.sort(byName);
}

/** Whether everything below that a rolled-up prefix stands for is pending to go. */
async function isEmpty(
  below: ByteStorage,
  group: string,
  {
    pending,
    floor,
    signal,
  }: { readonly pending: ReadonlySet<string>; readonly floor: string | undefined; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const hidden = Array.from(pending).filter((key) => key.startsWith(group)).length;
  if (hidden === 0) return false;
  for await (const { key } of scan(below, { prefix: group, startAfter: floor, limit: Math.min(hidden + 1, defaultListLimit), signal })) {
    if (!pending.has(key)) return false;
  }
  return true;
}

function itemsOf({ entries, prefixes }: Page): Item[] {
  const items: Item[] = entries.map((info) => ({ name: info.key, info: withoutEtag(info) ?? info }));
  return prefixes.length === 0 ? items : [...items, ...prefixes.map((name) => ({ name }))].sort(byName);
}

function pageOf(items: readonly Item[], last: Item | undefined): Page {
  const entries = items.flatMap(({ info }) => info ?? []);
  const prefixes = items.filter(({ info }) => info === undefined).map(({ name }) => name);
  if (last === undefined) return { entries, prefixes };
  return { entries, prefixes, cursor: `${last.info === undefined ? "prefix" : "key"}:${last.name}` };
}

/** What comes on the next page sorts behind this. */
function floorOf(cursor: string): string {
  const [kind, name] = split(cursor, ["key", "prefix"]);
  return kind === "key" ? name : name + beyond;
}

const endOf = ({ name, info }: Item): string => (info === undefined ? name + beyond : name);

function split(cursor: string, kinds: readonly string[]): readonly [string, string] {
  const at = cursor.indexOf(":");
  const kind = cursor.slice(0, Math.max(at, 0));
  if (kinds.includes(kind)) return [kind, cursor.slice(at + 1)];
  throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: "behind" });
}

const byName = (a: Item, b: Item): number => compareKeys(a.name, b.name);
