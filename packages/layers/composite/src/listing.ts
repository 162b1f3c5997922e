import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, defaultListLimit, forEachConcurrently, StorageError } from "@stowage/core";
import type { Manner } from "./asking.ts";
import { ask } from "./asking.ts";
import type { Position } from "./positions.ts";
import { cursorOf, isPast, positionOf, startAfterOf } from "./positions.ts";
import { present } from "./present.ts";
import type { Replica } from "./replica.ts";
import { afterTombstones, isTombstoneKey, tombstoneKeyOf, tombstonePrefix } from "./tombstones.ts";
import { versionOf } from "./versions.ts";

/** An entry or a prefix of a page, in their common order. */
interface Item {
  readonly name: string;
  /** Absent for a prefix. */
  readonly info?: EntryInfo;
}

/** A part of what one replica lists: everything up to the last item, or up to the end. */
interface Part {
  readonly items: readonly Item[];
  readonly ended: boolean;
}

/** Calls in flight for one page. */
const concurrency = 16;

/** Pages of what is there, without tombstones. */
export class Listing {
  readonly #replicas: readonly Replica[];
  readonly #manner: Manner;
  readonly #merges: boolean;
  readonly #ordered: boolean;

  /** @param manner how replicas are asked one after the other; where missing is passed, the pages of all are merged */
  constructor(replicas: readonly Replica[], manner: Manner) {
    this.#replicas = replicas;
    this.#ordered = replicas.every(({ storage }) => storage.capabilities.list === "ordered");
    this.#merges = manner.passMissing;
    this.#manner = { ...manner, passMissing: false };
  }

  async list(options: ListOptions): Promise<Page> {
    if (options.prefix?.startsWith(tombstonePrefix) === true) return { entries: [], prefixes: [] };
    if (!this.#ordered) return await this.#unordered(options);
    const limit = options.limit ?? defaultListLimit;
    let position = positionOf(options);
    for (;;) {
      const { items, ended } = await this.#part(options, position, limit);
      const last = items.at(-1);
      if (last !== undefined) position = afterItem(last);
      const shown = await this.#hideTombstones(items, options);
      if (shown.length === 0 && !ended) continue;
      const page = { entries: shown.flatMap(({ info }) => info ?? []).map(present), prefixes: shown.flatMap(nameOfPrefix) };
      return ended || position === undefined ? page : { ...page, cursor: cursorOf(position) };
    }
  }

  async #part(options: ListOptions, position: Position | undefined, limit: number): Promise<Part> {
    if (this.#merges) return await this.#merged(options, position, limit);
    const { signal } = options;
    const { found } = await ask(
      { operation: "list", key: undefined, signal, send: (replica, own) => this.#partOf(replica, options, position, limit, own) },
      this.#manner,
    );
    return found!;
  }

  /** What one replica has after a position: at least one item, unless it has none left. */
  async #partOf(
    replica: Replica,
    { prefix, delimiter, info }: ListOptions,
    position: Position | undefined,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<Part> {
    const from = skipTombstones(position);
    let page = await replica.storage.list({ prefix, delimiter, info, limit, signal, startAfter: from && startAfterOf(from) });
    for (;;) {
      const items = itemsOf(page).filter(({ name }) => !isPast(name, from));
      if (items.length > 0 || page.cursor === undefined) return { items, ended: page.cursor === undefined };
      page = await replica.storage.list({ prefix, delimiter, info, limit, signal, cursor: page.cursor });
    }
  }

  /** The parts of all replicas as one: up to where each of them is known, at most `limit` items, and only that is held. */
  async #merged(options: ListOptions, position: Position | undefined, limit: number): Promise<Part> {
    const { signal } = options;
    const parts = await Promise.all(
      this.#replicas.map((replica) => replica.call("list", (own) => this.#partOf(replica, options, position, limit, own), signal)),
    );
    const known = parts.filter(({ ended }) => !ended).map(({ items }) => items.at(-1)!.name);
    const end = known.reduce<string | undefined>(
      (first, name) => (first === undefined || compareKeys(name, first) < 0 ? name : first),
      undefined,
    );
    const byName = new Map<string, Map<Replica, Item>>();
    for (const [index, { items }] of parts.entries()) {
      for (const item of items) {
        if (end !== undefined && compareKeys(item.name, end) > 0) break;
        const held = byName.get(item.name) ?? new Map<Replica, Item>();
        byName.set(item.name, held.set(this.#replicas[index]!, item));
      }
    }
    const names = [...byName.keys()].toSorted(compareKeys);
    const taken = names.slice(0, limit);
    const items: (Item | undefined)[] = [];
    await forEachConcurrently(taken, concurrency, async (name, index) => {
      items[index] = await this.#newest(name, byName.get(name)!, options);
    });
    const living = items.filter((item) => item !== undefined);
    const ended = end === undefined && taken.length === names.length;
    // What is dead still tells how far this part goes.
    const last = taken.at(-1);
    if (living.length === 0 && !ended && last !== undefined) return await this.#merged(options, { after: last, kind: "key" }, limit);
    return { items: living, ended };
  }

  /** The newest of what the replicas have, unless one that has nothing knows of a delete. */
  async #newest(name: string, held: ReadonlyMap<Replica, Item>, { signal, info }: ListOptions): Promise<Item | undefined> {
    const [first] = held.values();
    if (first?.info === undefined || isTombstoneKey(name)) return first;
    const without = this.#replicas.filter((replica) => !held.has(replica));
    const tombstoneKey = without.length === 0 ? "" : await tombstoneKeyOf(name);
    const tombstones = await Promise.all(without.map((replica) => replica.head(tombstoneKey, signal)));
    const isBuried = tombstones.some((tombstone) => tombstone !== undefined);
    if (!isBuried && info !== true) return first;
    let newest: EntryInfo | undefined;
    for (const [replica, item] of held) {
      const told = item.info?.metadata === undefined && isBuried ? await replica.head(name, signal) : item.info;
      if (told !== undefined && (newest === undefined || versionOf(told) > versionOf(newest))) newest = told;
    }
    if (newest === undefined) return undefined;
    const version = versionOf(newest);
    if (tombstones.some((tombstone) => tombstone !== undefined && versionOf(tombstone) > version)) return undefined;
    return { name, info: info === true ? newest : { key: name } };
  }

  async #hideTombstones(items: readonly Item[], options: ListOptions): Promise<Item[]> {
    const shown: Item[] = [];
    for (const item of items) {
      if (isTombstoneKey(item.name)) continue;
      if (item.info === undefined && tombstonePrefix.startsWith(item.name) && !(await this.#holdsMore(item.name, options.signal))) continue;
      shown.push(item);
    }
    return shown;
  }

  /** Whether there is more under a prefix than tombstones. */
  async #holdsMore(prefix: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { items } = await this.#part({ prefix, signal }, undefined, 1);
    if (items.some(({ name }) => !isTombstoneKey(name))) return true;
    const rest = await this.#part({ prefix, signal }, { after: afterTombstones, kind: "key" }, 1);
    return rest.items.length > 0;
  }

  /**
   * Pages as one replica gives them. Its cursors are its own: where it fails, the list begins again on the next, as a list
   * without order may. Where missing is passed, the replicas are listed one after the other.
   */
  async #unordered({ cursor, ...options }: ListOptions): Promise<Page> {
    const { index, inner } = readUnordered(cursor, this.#replicas.length);
    const goesOn = this.#replicas[index]!;
    const others = this.#replicas.filter((each) => each !== goesOn);
    const { found, replica } = await ask(
      {
        operation: "list",
        key: undefined,
        signal: options.signal,
        send: ({ storage }, signal) => storage.list({ ...options, signal, cursor: storage === goesOn.storage ? inner : undefined }),
      },
      { ...this.#manner, replicas: this.#merges ? [goesOn] : inner === undefined ? this.#replicas : [goesOn, ...others] },
    );
    const page = { entries: found!.entries.filter(({ key }) => !isTombstoneKey(key)).map(present), prefixes: [] };
    if (found!.cursor !== undefined) return { ...page, cursor: `${replica.index}:${found!.cursor}` };
    return this.#merges && index + 1 < this.#replicas.length ? { ...page, cursor: `${index + 1}:` } : page;
  }
}

/** Tombstones lie together, so a list steps over them at once. */
function skipTombstones(position: Position | undefined): Position | undefined {
  return position?.kind === "key" && isTombstoneKey(position.after) ? { after: afterTombstones, kind: "key" } : position;
}

function itemsOf({ entries, prefixes }: Page): Item[] {
  const items: Item[] = [...entries.map((info) => ({ name: info.key, info })), ...prefixes.map((name) => ({ name }))];
  return prefixes.length === 0 ? items : items.sort((a, b) => compareKeys(a.name, b.name));
}

const afterItem = ({ name, info }: Item): Position => ({ after: name, kind: info === undefined ? "prefix" : "key" });

const nameOfPrefix = ({ name, info }: Item): readonly string[] => (info === undefined ? [name] : []);

function readUnordered(cursor: string | undefined, count: number): { readonly index: number; readonly inner: string | undefined } {
  if (cursor === undefined) return { index: 0, inner: undefined };
  const [, digits = "", inner] = /^(\d{1,3}):(.*)$/s.exec(cursor) ?? [];
  const index = Number(digits);
  if (inner === undefined || index >= count)
    throw new StorageError("invalid-option", "The cursor is not one that this storage gave.", { operation: "list", storage: "composite" });
  return { index, inner: inner === "" ? undefined : inner };
}
