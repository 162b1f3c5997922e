import type { ByteStorage, Clock, EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, defaultListLimit, isExpired, StorageError } from "@stowage/core";
import type { Write } from "./record.ts";

/** Where a page ended: after a key or a rolled-up prefix, on a page of the storage below or at the start of one. */
interface Position {
  readonly after?: string | undefined;
  /** `after` is a prefix, and all under it was given. */
  readonly group?: boolean | undefined;
  /** Where the page below begins that is to be asked for again, if not by a cursor. */
  readonly from?: string | undefined;
  /** The cursor below. */
  readonly inner?: string | undefined;
}

interface Item {
  readonly name: string;
  readonly info?: EntryInfo;
}

/** What is pending now, which must be taken before the storage below is asked. */
export type Pending = ReadonlyMap<string, Write>;

/** What is known of an entry whose etag would change once a pending write of it has arrived. */
export function withoutEtag<T extends EntryInfo>(info: T): T {
  if (info.etag === undefined) return info;
  const { etag: _etag, ...rest } = info;
  return rest as unknown as T;
}

export function infoOf({ key, value, metadata, expiresAt }: Write): EntryInfo {
  return {
    key,
    size: value?.byteLength ?? 0,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
  };
}

/** One page of what is below, with what is pending over it. Each page asks below for one page. */
export async function listOver(below: ByteStorage, pending: Pending, options: ListOptions, clock: Clock): Promise<Page> {
  const position = positionOf(options);
  return below.capabilities.list === "ordered"
    ? await orderedPage(below, pending, options, position, clock)
    : await unorderedPage(below, pending, options, position, clock);
}

const isThere = (write: Write, clock: Clock): boolean => write.value !== undefined && !isExpired(write.expiresAt, clock);

async function orderedPage(below: ByteStorage, pending: Pending, options: ListOptions, position: Position, clock: Clock): Promise<Page> {
  const { prefix = "", delimiter, limit = defaultListLimit, info, signal } = options;
  const from = position.group === true ? position.from : position.after;
  const start = position.inner === undefined ? { startAfter: from } : { cursor: position.inner };
  const page = await below.list({ prefix, delimiter, limit, info, signal, ...start });
  const theirs = itemsOf(page).filter(
    ({ name, info: found }) => (position.group !== true || isPast(name, position)) && (found === undefined || !pending.has(name)),
  );
  const last = lastOf(page);
  const moves = last !== undefined && (position.group !== true || isPast(last, position)); // what was asked for again may lie before
  const reached = moves ? last : position.after;
  const end = page.cursor === undefined ? undefined : (reached ?? "");
  const ours = new Map<string, Item>();
  for (const write of pending.values()) {
    if (!write.key.startsWith(prefix) || !isThere(write, clock)) continue;
    const item = rolledUp(write, prefix, delimiter, info);
    if (isPast(write.key, position) && (end === undefined || compareKeys(item.name, end) <= 0)) ours.set(item.name, item);
  }
  const kept: Item[] = [];
  for (const item of theirs) {
    if (ours.has(item.name)) continue;
    if (item.info === undefined && (await isGone(below, item.name, pending, position, options))) continue;
    kept.push(item);
  }
  const merged = [...kept, ...ours.values()].sort((a, b) => compareKeys(a.name, b.name));
  const given = merged.slice(0, limit);
  const entries = given.flatMap((item) => item.info ?? []);
  const prefixes = given.filter((item) => item.info === undefined).map(({ name }) => name);
  if (merged.length > limit) {
    const cut = given.at(-1)!;
    if (cut.info !== undefined) return { entries, prefixes, cursor: cursorOf({ after: cut.name }) };
    const { inner } = position;
    return { entries, prefixes, cursor: cursorOf({ after: cut.name, group: true, inner, from: inner === undefined ? from : undefined }) };
  }
  if (page.cursor === undefined) return { entries, prefixes };
  const isGroup = moves ? page.prefixes.includes(last) : position.group;
  return { entries, prefixes, cursor: cursorOf({ after: reached, group: isGroup === true || undefined, inner: page.cursor }) };
}

/** First what is pending, then what is below: a write that arrives below meanwhile is found there. */
async function unorderedPage(below: ByteStorage, pending: Pending, options: ListOptions, position: Position, clock: Clock): Promise<Page> {
  const { prefix = "", limit = defaultListLimit, info, signal } = options;
  if (position.inner === undefined && position.group !== true) {
    const ours = Array.from(pending.values())
      .filter((write) => write.key.startsWith(prefix) && isThere(write, clock) && isPast(write.key, position))
      .sort((a, b) => compareKeys(a.key, b.key))
      .slice(0, limit);
    const cursor = cursorOf(ours.length < limit ? { group: true } : { after: ours.at(-1)!.key });
    if (ours.length > 0)
      return { entries: ours.map((write) => (info === true ? infoOf(write) : { key: write.key })), prefixes: [], cursor };
  }
  const page = await below.list({ prefix, limit, info, signal, cursor: position.inner });
  const entries = page.entries.flatMap((entry) => {
    const write = pending.get(entry.key);
    if (write === undefined) return withoutEtag(entry);
    return isThere(write, clock) ? (info === true ? infoOf(write) : { key: write.key }) : [];
  });
  return { entries, prefixes: [], ...(page.cursor !== undefined && { cursor: cursorOf({ inner: page.cursor, group: true }) }) };
}

/** Whether every entry below that a prefix stands for is pending to go. */
async function isGone(
  below: ByteStorage,
  group: string,
  pending: Pending,
  { after, group: isGroup }: Position,
  { info, signal }: ListOptions,
): Promise<boolean> {
  let shadowed = 0;
  for (const key of pending.keys()) if (key.startsWith(group)) shadowed++;
  if (shadowed === 0) return false;
  let startAfter = isGroup !== true && after?.startsWith(group) === true ? after : undefined;
  let cursor: string | undefined;
  do {
    const page = await below.list({ prefix: group, limit: shadowed + 1, info, cursor, startAfter, signal });
    startAfter = undefined;
    if (page.entries.some(({ key }) => !pending.has(key))) return false;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return true;
}

function rolledUp(write: Write, prefix: string, delimiter: string | undefined, info: boolean | undefined): Item {
  const at = delimiter === undefined ? -1 : write.key.indexOf(delimiter, prefix.length);
  if (at !== -1) return { name: write.key.slice(0, at + delimiter!.length) };
  return { name: write.key, info: info === true ? infoOf(write) : { key: write.key } };
}

function itemsOf({ entries, prefixes }: Page): Item[] {
  return [...entries.map((entry) => ({ name: entry.key, info: withoutEtag(entry) })), ...prefixes.map((name) => ({ name }))];
}

function lastOf({ entries, prefixes }: Page): string | undefined {
  const [key, prefix] = [entries.at(-1)?.key, prefixes.at(-1)];
  if (key === undefined || prefix === undefined) return key ?? prefix;
  return compareKeys(key, prefix) > 0 ? key : prefix;
}

function isPast(name: string, { after, group }: Position): boolean {
  if (after === undefined) return true;
  return compareKeys(name, after) > 0 && !(group === true && name.startsWith(after));
}

const cursorOf = (position: Position): string => JSON.stringify(position);

function positionOf({ cursor, startAfter }: ListOptions): Position {
  if (cursor === undefined) return { after: startAfter };
  try {
    const { after, group, inner, from } = JSON.parse(cursor) as Position;
    const isText = (value: unknown): boolean => value === undefined || typeof value === "string";
    if (isText(after) && isText(inner) && isText(from)) return { after, group, inner, from };
  } catch {
    // told below
  }
  throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: "behind" });
}
