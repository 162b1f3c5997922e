import type { Clock, EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { Descriptors } from "./descriptors.ts";
import { storageName } from "./errors.ts";
import type { FileCalls, FileStat, FileSystem } from "./file-system.ts";
import { Governor } from "./governor.ts";
import type { Layout } from "./layouts/layout.ts";
import { inside, reservedFolder } from "./layouts/layout.ts";

/** What the parts of one storage share: how to reach the disk, and where on it they are. Paths here are relative to the folder. */
export class Disk {
  readonly fileSystem: FileSystem;
  readonly layout: Layout;
  readonly governor: Governor;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
  /** The folder of the storage, absolute and free of links; known once it is open. */
  top = "";
  /** The device that it is on. */
  device = 0n;
  /** Whether names that differ in case alone are one name there. */
  folding = false;

  constructor(fileSystem: FileSystem, layout: Layout, io: "auto" | "pool", clock: Clock) {
    this.fileSystem = fileSystem;
    this.platform = fileSystem.platform ?? process.platform;
    this.layout = layout;
    this.clock = clock;
    this.governor = new Governor(fileSystem, io);
    this.descriptors = new Descriptors(clock);
  }

  absolute(path: string): string {
    return path === "" ? this.top : `${this.top}/${path}`;
  }

  get reserved(): string {
    return `${this.top}/${reservedFolder}`;
  }

  /**
   * Refuses to take an entry for missing when it is the folder that is: somebody removed it, or its disk is not mounted.
   */
  async checkTop(calls: FileCalls): Promise<void> {
    const top = await calls.lstat(this.top);
    if (top?.isDirectory() === true && top.dev === this.device) return;
    throw new StorageError("unavailable", "The folder of the storage is gone, or the disk that it was on.", { storage: storageName });
  }

  /** All names in a folder, whose path is absolute. */
  async namesIn(calls: FileCalls, path: string): Promise<string[]> {
    const names: string[] = [];
    const reader = await this.descriptors.opendir(calls, path);
    try {
      for (let entry = await reader.next(); entry !== null; entry = await reader.next()) names.push(entry.name);
    } finally {
      await reader.close();
    }
    return names;
  }

  /** Whether something could be in the way of a path. */
  mayHaveObstacle(path: string): boolean {
    return this.folding || path.includes("/");
  }

  /** Whether nothing is in the way of a path, as far as direct calls can tell. */
  isPlainNow(path: string): boolean {
    if (this.folding) return false;
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      if (this.governor.direct.lstat(this.absolute(path.slice(0, end)))?.isDirectory() !== true) return false;
    }
    return true;
  }

  /**
   * Why a path is not that of an entry, in words, or `undefined`: a folder above it is a link or a value, or, where case
   * is folded, it leads to a name that is spelled in another way.
   */
  async obstacleAt(calls: FileCalls, path: string): Promise<string | undefined> {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      const parent = path.slice(0, end);
      const stat = await calls.lstat(this.absolute(parent));
      if (stat === undefined) return undefined;
      if (!stat.isDirectory()) return stat.isFile() ? this.#valueAbove(parent) : linkAbove;
    }
    return this.folding ? await this.#otherSpelling(calls, path) : undefined;
  }

  #valueAbove(parent: string): string {
    return `The key "${parent}" holds a value here, and a file cannot be a folder as well; use another key or the layout "encoded".`;
  }

  async #otherSpelling(calls: FileCalls, path: string): Promise<string | undefined> {
    let folder = "";
    for (const name of path.split("/")) {
      if ((await calls.lstat(this.absolute(inside(folder, name)))) === undefined) return undefined;
      const names = await this.namesIn(calls, this.absolute(folder));
      if (!names.includes(name)) {
        const other = names.find((candidate) => fold(candidate) === fold(name));
        return `This file system does not tell the key from "${inside(folder, other ?? name)}"; use another key or the layout "encoded".`;
      }
      folder = inside(folder, name);
    }
    return undefined;
  }
}

/** An opaque name for what a file holds. Writers keep the time of a key's values strictly increasing. */
export function etagOf({ mtimeNs, size, ino }: FileStat): string {
  return `${mtimeNs.toString(16)}-${size.toString(16)}-${ino.toString(16)}`;
}

/** What is known about the entry in a file. */
export const infoOf = (key: string, stat: FileStat): EntryInfo => ({
  key,
  size: Number(stat.size),
  etag: etagOf(stat),
  modifiedAt: Math.floor(Number(stat.mtimeNs) / 1e6),
});

const fold = (name: string): string => name.normalize("NFC").toLowerCase();

const linkAbove = "A folder of this key's path is a symbolic link or something else that is not followed; use another key.";
