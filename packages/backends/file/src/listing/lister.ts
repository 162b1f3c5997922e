import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, defaultListLimit } from "@stowage/core";
import type { Disk } from "../disk.ts";
import { infoOf } from "../disk.ts";
import { systemCode } from "../errors.ts";
import type { FileCalls, FolderEntry } from "../file-system.ts";
import type { Folder } from "../layouts/layout.ts";
import { inside } from "../layouts/layout.ts";
import { firstKey } from "./first-key.ts";
import type { Position } from "./position.ts";
import { fromCursor, isBefore, positionIn, toCursor } from "./position.ts";
import { SortedNames } from "./sorted-names.ts";

/** Memory for folders that were read and sorted, so that the next page need not do it again. */
const hintSize = 8 * 1024 * 1024;

/** Milliseconds that a read folder serves for further pages. */
const hintAge = 30_000;

/** A folder of fewer names is read again sooner than remembered. */
const worthKeeping = 128;

/** A folder as it was read, in part where it is large. */
interface Window {
  readonly names: SortedNames;
  /** Only names that start with this. */
  readonly start: string;
  /** Names before this one are missing. */
  readonly from: string | undefined;
  /** What is before this place is missing. */
  readonly after: Position | undefined;
  readonly readAt: number;
}

/** One page in the making. */
interface Draft {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly limit: number;
  readonly continues: boolean;
  readonly signal: AbortSignal | undefined;
  readonly keys: string[];
  readonly prefixes: string[];
  /** Where the next page begins. */
  position: Position | undefined;
}

/** Lists keys in order by walking the folders in order. A page looks at the folders it has keys from, and no others. */
export class Lister {
  readonly #disk: Disk;
  /** By folder; the one used last comes last. */
  readonly #hints = new Map<string, Window>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async list(options: ListOptions = {}): Promise<Page> {
    const { layout } = this.#disk;
    const { prefix = "", delimiter, startAfter, cursor, limit = defaultListLimit, signal } = options;
    const page: Draft = {
      prefix: layout.textOf(prefix),
      delimiter: delimiter === undefined ? undefined : layout.textOf(delimiter),
      limit,
      continues: cursor !== undefined,
      signal,
      keys: [],
      prefixes: [],
      position: undefined,
    };
    if (cursor !== undefined) page.position = fromCursor(cursor, prefix, delimiter);
    else if (startAfter !== undefined && startAfter !== "") page.position = { text: layout.textOf(startAfter), past: false };
    await this.#disk.checkTop((await this.#disk.governor.choose(0)).names);
    const folder = layout.folderOf(page.prefix);
    const full = folder !== undefined && (await this.#isReal(folder)) && (await this.#walk(folder, page));
    const entries = options.info === true ? await this.#withInfo(page.keys, signal) : page.keys.map((key) => ({ key }));
    const { prefixes, position } = page;
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
    let from: string | undefined;
    do {
      const { names } = await this.#windowOf(folder, from, page);
      if (await this.#addFrom(names, folder, page)) return true;
      from = names.ceiling;
    } while (from !== undefined);
    return false;
  }

  async #addFrom(names: SortedNames, folder: Folder, page: Draft): Promise<boolean> {
    const { layout } = this.#disk;
    const isDone = (item: string): boolean => {
      const position = page.position && positionIn(page.position, folder.text);
      return position !== undefined && isBefore(position, item, layout.isFolder(item));
    };
    const cursor = names.from(isDone);
    for (let item = cursor.name; item !== undefined; item = cursor.name) {
      if (page.keys.length + page.prefixes.length >= page.limit) return true;
      const text = folder.text + item;
      const end = page.delimiter === undefined ? -1 : text.indexOf(page.delimiter, page.prefix.length);
      const below = layout.isFolder(item) ? { path: inside(folder.path, layout.nameOf(item)), text } : undefined;
      if (end !== -1) {
        if (await this.#isEntry(text, below, page.position)) {
          const rolledUp = text.slice(0, end + page.delimiter!.length);
          page.prefixes.push(layout.keyOf(rolledUp) ?? rolledUp);
          page.position = { text: rolledUp, past: true };
          cursor.skip(isDone);
        } else cursor.advance();
      } else {
        if (below !== undefined) {
          if (await this.#walk(below, page)) return true;
        } else {
          const key = layout.keyOf(text);
          if (key !== undefined) {
            page.keys.push(key);
            page.position = { text, past: false };
          }
        }
        cursor.advance();
      }
    }
    return false;
  }

  /** Whether a text is that of a key, or its folder holds one after a position. */
  async #isEntry(text: string, folder: Folder | undefined, after: Position | undefined): Promise<boolean> {
    if (folder === undefined) return this.#disk.layout.keyOf(text) !== undefined;
    const { names } = await this.#disk.governor.choose(0);
    return (await firstKey(this.#disk, names, folder, after)) !== undefined;
  }

  /** The names in a folder that a page may need, from a hint where the page continues another. */
  async #windowOf(folder: Folder, from: string | undefined, page: Draft): Promise<Window> {
    const start = page.prefix.slice(folder.text.length);
    const hint = page.continues && from === undefined ? this.#hints.get(folder.path) : undefined;
    if (
      hint !== undefined &&
      hint.start === start &&
      this.#disk.clock.now() - hint.readAt < hintAge &&
      covers(hint, folder, page.position)
    ) {
      this.#keep(folder, hint);
      return hint;
    }
    const readAt = this.#disk.clock.now();
    const after = from === undefined ? page.position : undefined;
    const window = { names: await this.#read(folder, start, from, page), start, from, after, readAt };
    this.#keep(folder, window);
    return window;
  }

  async #read(folder: Folder, start: string, from: string | undefined, page: Draft): Promise<SortedNames> {
    const { governor, descriptors, layout } = this.#disk;
    page.signal?.throwIfAborted();
    const names = new SortedNames(hintSize);
    const position = page.position && positionIn(page.position, folder.text);
    const calls = (await governor.choose(0)).names;
    await descriptors.take();
    try {
      const reader = await descriptors.opendir(calls, this.#disk.absolute(folder.path));
      try {
        const undecoded = new Set<string>();
        for (let count = 1; ; count++) {
          const next = reader.next();
          const entry = next instanceof Promise ? await next : next;
          if (entry === null) break;
          const item = this.#itemOf(entry, folder);
          if (item !== undefined && (start === "" || item.startsWith(start) || (layout.isFolder(item) && start.startsWith(item)))) {
            const isWanted =
              (from === undefined || compareKeys(item, from) >= 0) &&
              (position === undefined || !isBefore(position, item, layout.isFolder(item)));
            if (isWanted && (!item.includes(replacement) || (await this.#isDecoded(calls, folder, entry.name, undecoded)))) names.add(item);
          }
          if ((count & 63) === 0) {
            page.signal?.throwIfAborted();
            await governor.breathe();
          }
        }
      } finally {
        await reader.close();
      }
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    } finally {
      descriptors.give();
    }
    return names.end();
  }

  #itemOf(entry: FolderEntry, folder: Folder): string | undefined {
    const isFolder = entry.isDirectory();
    return isFolder || entry.isFile() ? this.#disk.layout.itemOf(entry.name, isFolder, folder) : undefined;
  }

  /** Names that are not UTF-8 come with replacement characters, and are nobody's keys. */
  async #isDecoded(calls: FileCalls, folder: Folder, name: string, seen: Set<string>): Promise<boolean> {
    if (seen.has(name)) return false;
    seen.add(name);
    return (await calls.lstat(this.#disk.absolute(inside(folder.path, name)))) !== undefined;
  }

  #keep(folder: Folder, window: Window): void {
    if (window.names.size < worthKeeping * 40) return;
    this.#hints.delete(folder.path);
    this.#hints.set(folder.path, window);
    let size = 0;
    for (const { names } of this.#hints.values()) size += names.size;
    for (const [path, { names }] of this.#hints) {
      if (size <= hintSize) break;
      this.#hints.delete(path);
      size -= names.size;
    }
  }

  /** The entries of the keys with what is known about them; without those that are gone by now. */
  async #withInfo(keys: readonly string[], signal: AbortSignal | undefined): Promise<EntryInfo[]> {
    const entries: EntryInfo[] = [];
    for (let start = 0; start < keys.length; start += together) {
      signal?.throwIfAborted();
      const { names } = await this.#disk.governor.choose(0);
      const some = keys.slice(start, start + together);
      const stats = await Promise.all(some.map(async (key) => names.lstat(this.#disk.absolute(this.#disk.layout.pathOf(key, "list")))));
      for (const [index, key] of some.entries()) {
        const stat = stats[index];
        if (stat?.isFile() === true) entries.push(infoOf(key, stat));
      }
    }
    return entries;
  }
}

/** Entries that are looked at together. */
const together = 32;

/** What Node puts in place of bytes that are not UTF-8. */
const replacement = "\ufffd";

/** Whether a window has all names of a folder that come after a position. */
function covers({ from, after }: Window, folder: Folder, position: Position | undefined): boolean {
  if (from === undefined && after === undefined) return true;
  if (position === undefined) return false;
  if (from !== undefined) return compareKeys(folder.text + from, position.text) <= 0;
  if (!after!.past) return compareKeys(after!.text, position.text) <= 0;
  if (position.text.startsWith(after!.text)) return position.past && position.text === after!.text;
  return compareKeys(after!.text, position.text) < 0;
}
