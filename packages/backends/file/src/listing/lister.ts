import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { defaultListLimit } from "@stowage/core";
import type { Disk } from "../disk.ts";
import { infoOf } from "../disk.ts";
import type { Folder } from "../layouts/layout.ts";
import { inside } from "../layouts/layout.ts";
import { firstKey } from "./first-key.ts";
import type { Position } from "./position.ts";
import { fromCursor, isBefore, positionIn, toCursor } from "./position.ts";
import type { SortedNames } from "./sorted-names.ts";
import { Windows } from "./windows.ts";

/** Entries that are looked at together. */
const together = 32;

/** One page in the making. */
interface Draft {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly limit: number;
  readonly continues: boolean;
  readonly signal: AbortSignal | undefined;
  readonly entries: EntryInfo[];
  readonly prefixes: string[];
  /** Where the page ends so far, and the next one begins. */
  position: Position | undefined;
}

/** Lists keys in order by walking the folders in order. A page looks at the folders it has keys from, and no others. */
export class Lister {
  readonly #disk: Disk;
  readonly #windows: Windows;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#windows = new Windows(disk);
  }

  async list(options: ListOptions = {}): Promise<Page> {
    const { layout, governor } = this.#disk;
    const { prefix = "", delimiter, startAfter = "", cursor, limit = defaultListLimit, signal } = options;
    const page: Draft = {
      prefix: layout.textOf(prefix),
      delimiter: delimiter === undefined ? undefined : layout.textOf(delimiter),
      limit,
      continues: cursor !== undefined,
      signal,
      entries: [],
      prefixes: [],
      position: undefined,
    };
    if (cursor !== undefined) page.position = fromCursor(cursor, prefix, delimiter);
    else if (startAfter !== "") page.position = { text: layout.textOf(startAfter), past: false };
    await this.#disk.checkTop((await governor.choose(0)).names);
    const folder = layout.folderOf(page.prefix);
    const full = folder !== undefined && (await this.#isReal(folder)) && (await this.#walk(folder, page));
    const { prefixes, position } = page;
    const entries = options.info === true ? await this.#withInfo(page.entries, signal) : page.entries;
    return full && position !== undefined ? { entries, prefixes, cursor: toCursor(position, prefix, delimiter) } : { entries, prefixes };
  }

  /** Whether a folder is there, under this very name and not by a link. */
  async #isReal({ path }: Folder): Promise<boolean> {
    if (path === "") return true;
    const { names } = await this.#disk.governor.choose(0);
    return (await this.#disk.obstacleAt(names, `${path}/-`)) === undefined;
  }

  /** Adds what is in a folder to the page; answers whether the page got full before the end. */
  async #walk(folder: Folder, page: Draft): Promise<boolean> {
    const start = page.prefix.slice(folder.text.length);
    let from: string | undefined;
    do {
      const wanted = { start, from, after: from === undefined ? page.position : undefined };
      const names = await this.#windows.of(folder, wanted, page.continues, page.signal);
      if (await this.#addFrom(names, folder, page)) return true;
      from = names.ceiling;
    } while (from !== undefined);
    return false;
  }

  async #addFrom(names: SortedNames, folder: Folder, page: Draft): Promise<boolean> {
    const { layout } = this.#disk;
    const { entries, prefixes, prefix, delimiter, limit } = page;
    const cursor = names.from(this.#isDone(folder, page));
    let last: string | undefined;
    for (let item = cursor.name; item !== undefined; item = cursor.name) {
      const full = entries.length + prefixes.length >= limit;
      if (last !== undefined && (full || delimiter !== undefined || layout.isFolder(item))) page.position = { text: last, past: false };
      if (full) return true;
      const text = folder.text + item;
      const end = delimiter === undefined ? -1 : text.indexOf(delimiter, prefix.length);
      const below = layout.isFolder(item) ? { path: inside(folder.path, layout.nameOf(item)), text } : undefined;
      if (end !== -1 && (await this.#isEntry(text, below, page.position))) {
        const rolledUp = text.slice(0, end + delimiter!.length);
        prefixes.push(layout.keyOf(rolledUp) ?? rolledUp);
        page.position = { text: rolledUp, past: true };
        last = undefined;
        cursor.skip(this.#isDone(folder, page));
        continue;
      }
      if (end === -1 && below !== undefined) {
        if (await this.#walk(below, page)) return true;
        last = undefined;
      } else if (end === -1) {
        const key = layout.keyOf(text);
        if (key !== undefined) {
          entries.push({ key });
          last = text;
        }
      }
      cursor.advance();
    }
    if (last !== undefined) page.position = { text: last, past: false };
    return false;
  }

  /** Tells which items of a folder are before the position of a page. */
  #isDone(folder: Folder, page: Draft): (item: string) => boolean {
    const { layout } = this.#disk;
    const position = page.position && positionIn(page.position, folder.text);
    return (item) => position !== undefined && isBefore(position, item, layout.isFolder(item));
  }

  /** Whether a text is that of a key, or its folder holds one after a position. */
  async #isEntry(text: string, folder: Folder | undefined, after: Position | undefined): Promise<boolean> {
    if (folder === undefined) return this.#disk.layout.keyOf(text) !== undefined;
    const { names } = await this.#disk.governor.choose(0);
    return (await firstKey(this.#disk, names, folder, after)) !== undefined;
  }

  /** The entries with what is known about them; without those that are gone by now. */
  async #withInfo(entries: readonly EntryInfo[], signal: AbortSignal | undefined): Promise<EntryInfo[]> {
    const { layout, governor } = this.#disk;
    const found: EntryInfo[] = [];
    for (let start = 0; start < entries.length; start += together) {
      signal?.throwIfAborted();
      const { names } = await governor.choose(0);
      const some = entries.slice(start, start + together);
      const stats = await Promise.all(some.map(async ({ key }) => names.lstat(this.#disk.absolute(layout.pathOf(key, "list")))));
      for (const [index, { key }] of some.entries()) {
        const stat = stats[index];
        if (stat?.isFile() === true) found.push(infoOf(key, stat));
      }
    }
    return found;
  }
}
