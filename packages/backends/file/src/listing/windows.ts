import { compareKeys } from "@stowage/core";
import type { Disk } from "../disk.ts";
import { systemCode } from "../errors.ts";
import type { FileCalls, FolderEntry } from "../file-system.ts";
import type { Folder } from "../layouts/layout.ts";
import { inside } from "../layouts/layout.ts";
import type { Position } from "./position.ts";
import { isBefore, positionIn } from "./position.ts";
import { SortedNames } from "./sorted-names.ts";

/** Memory for folders that were read and sorted, so that the next page need not do it again. */
const hintSize = 8 * 1024 * 1024;

/** Milliseconds that a read folder serves for further pages. */
const hintAge = 30_000;

/** A folder that takes less memory than this is read again sooner than remembered. */
const worthKeeping = 5_000;

/** What Node puts in place of bytes that are not UTF-8. */
const replacement = "\ufffd";

/** What a page wants to know of a folder. */
export interface Wanted {
  /** Only names that start with this. */
  readonly start: string;
  /** Not the names before this one. */
  readonly from: string | undefined;
  /** Not what is before this place. */
  readonly after: Position | undefined;
}

/** A folder as it was read, in part where it is large. */
interface Window extends Wanted {
  readonly names: SortedNames;
  readonly readAt: number;
}

/** Reads folders, and remembers what it read for the pages that follow: at most 8 MiB, for half a minute. */
export class Windows {
  readonly #disk: Disk;
  /** By folder; the one used last comes last. */
  readonly #hints = new Map<string, Window>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** The names in a folder that a page may need; from memory only where it `continues` another page. */
  async of(folder: Folder, wanted: Wanted, continues: boolean, signal: AbortSignal | undefined): Promise<SortedNames> {
    const hint = continues && wanted.from === undefined ? this.#hints.get(folder.path) : undefined;
    const now = this.#disk.clock.now();
    if (hint !== undefined && now - hint.readAt < hintAge && covers(hint, folder, wanted)) {
      this.#keep(folder, hint);
      return hint.names;
    }
    const names = await this.#read(folder, wanted, signal);
    this.#keep(folder, { ...wanted, names, readAt: now });
    return names;
  }

  async #read(folder: Folder, wanted: Wanted, signal: AbortSignal | undefined): Promise<SortedNames> {
    const { governor, descriptors } = this.#disk;
    signal?.throwIfAborted();
    const names = new SortedNames(hintSize);
    const calls = (await governor.choose(0)).names;
    await descriptors.take();
    try {
      const reader = await descriptors.opendir(calls, this.#disk.absolute(folder.path));
      try {
        const isWanted = this.#filter(folder, wanted);
        const undecoded = new Set<string>();
        for (let count = 1; ; count++) {
          const next = reader.next();
          const entry = next instanceof Promise ? await next : next;
          if (entry === null) break;
          const item = this.#itemOf(entry, folder);
          if (item !== undefined && isWanted(item)) {
            if (!item.includes(replacement) || (await this.#isDecoded(calls, folder, entry.name, undecoded))) names.add(item);
          }
          if ((count & 63) === 0) {
            signal?.throwIfAborted();
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

  #filter(folder: Folder, { start, from, after }: Wanted): (item: string) => boolean {
    const { layout } = this.#disk;
    const position = after && positionIn(after, folder.text);
    if (start === "" && from === undefined && position === undefined) return () => true;
    return (item) =>
      (item.startsWith(start) || (layout.isFolder(item) && start.startsWith(item))) &&
      (from === undefined || compareKeys(item, from) >= 0) &&
      (position === undefined || !isBefore(position, item, layout.isFolder(item)));
  }

  /** Names that are not UTF-8 come with replacement characters, and are nobody's keys. */
  async #isDecoded(calls: FileCalls, folder: Folder, name: string, seen: Set<string>): Promise<boolean> {
    if (seen.has(name)) return false;
    seen.add(name);
    return (await calls.lstat(this.#disk.absolute(inside(folder.path, name)))) !== undefined;
  }

  #keep(folder: Folder, window: Window): void {
    if (window.names.size < worthKeeping) return;
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
}

/** Whether a window has all names of a folder that a page wants. */
function covers({ start, from, after }: Window, folder: Folder, wanted: Wanted): boolean {
  const position = wanted.after;
  if (start !== wanted.start) return false;
  if (from === undefined && after === undefined) return true;
  if (position === undefined) return false;
  if (from !== undefined) return compareKeys(folder.text + from, position.text) <= 0;
  if (!after!.past) return compareKeys(after!.text, position.text) <= 0;
  if (position.text.startsWith(after!.text)) return position.past && position.text === after!.text;
  return compareKeys(after!.text, position.text) < 0;
}
