import type { ByteSource } from "@stowage/core";
import { otherVersion, StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { etagOf } from "./disk.ts";
import type { Draft } from "./drafts.ts";
import { Drafts, SourceError } from "./drafts.ts";
import { invalidKey, storageName, systemCode, translate } from "./errors.ts";
import { FolderSync, parentOf } from "./folder-sync.ts";
import type { FileCalls, FileStat } from "./file-system.ts";
import type { Choice } from "./governor.ts";
import { inside } from "./layouts/layout.ts";
import { firstKeyIn } from "./listing/first-key.ts";
import { Locks } from "./locks.ts";
import { foldsCase } from "./opening.ts";
import { TemporaryFiles } from "./temporary-files.ts";

/** What one change is about. */
export interface Change {
  readonly operation: "put" | "write" | "delete";
  readonly key: string;
  /** Relative. */
  readonly path: string;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: "*" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How often a change begins again because others made and removed folders in its way. */
const mostAttempts = 100;

/** Nanoseconds by which a time that did not advance is moved on, tried in this order: file systems keep times more or less finely. */
const timeSteps = [2_000n, 20_000_000n, 2_000_000_000n];

/** Nanoseconds. The time of the last deleted value counts for new ones only while it could come from the same moment. */
const deletedRecently = 60_000_000_000n;

/** `link` is not known there. */
const noLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** A folder is where the file should go, or a file where a folder should be. */
const inTheWay = new Set(["EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"]);

/**
 * Changes what keys hold. A value is written to a temporary file, synced, and moved to its place in one step, under the
 * lock of its key; then the folder is synced. So a reader sees the old value or the new one, whatever happens when.
 */
export class Writer {
  readonly #disk: Disk;
  readonly #durable: boolean;
  readonly #locks: Locks;
  readonly #temporary: TemporaryFiles;
  readonly #folders: FolderSync;
  readonly #drafts: Drafts;
  #prepared: Promise<void> | undefined;

  constructor(disk: Disk, durable: boolean) {
    this.#disk = disk;
    this.#durable = durable;
    const { fileSystem, descriptors, reserved } = disk;
    this.#locks = new Locks(fileSystem, `${reserved}/locks`);
    this.#temporary = new TemporaryFiles(fileSystem, descriptors, `${reserved}/tmp`);
    this.#folders = new FolderSync(disk);
    this.#drafts = new Drafts(
      disk,
      () => this.#temporary.next(),
      () => this.#prepareAgain(),
    );
  }

  get folderSyncs(): number {
    return this.#folders.count;
  }

  sweep(): Promise<number> {
    return this.#temporary.sweep(this.#disk.fileSystem.pool);
  }

  /** Refuses a change whose condition does not hold now, before more is spent on it. */
  async check(change: Change): Promise<void> {
    if (change.ifMatch === undefined && change.ifNoneMatch === undefined) return;
    const { names } = await this.#disk.governor.choose(0);
    checkCondition(change, await this.#current(names, change));
  }

  async put(change: Change, value: Uint8Array): Promise<FileStat> {
    return await this.#changing(change, async (state) => {
      const choice = await this.#disk.governor.choose(value.byteLength);
      const draft = await this.#drafts.ofValue(choice, value, this.#finishing(choice.names, change));
      return await this.#publish(choice.names, draft, change, state);
    });
  }

  async write(change: Change, source: ByteSource, size: number | undefined): Promise<FileStat> {
    return await this.#changing(change, async (state) => {
      const choice: Choice = await this.#disk.governor.choose(Number.POSITIVE_INFINITY);
      const { key, signal } = change;
      const draft = await this.#drafts.ofSource(choice, source, { key, size, signal }, this.#finishing(choice.names, change));
      return await this.#publish(choice.names, draft, change, state);
    });
  }

  async delete(change: Change): Promise<void> {
    await this.#changing(change, async (state) => {
      const { names } = await this.#disk.governor.choose(0);
      const removed = await this.#underLock(change, () => this.#unlink(names, change, state));
      const folder = removed ? await this.#removeEmptyFolders(names, change.path) : parentOf(this.#disk.absolute(change.path));
      if (!this.#durable) return;
      if (removed) this.#folders.changed(folder);
      if (removed) await this.#folders.sync(folder);
      else await this.#folders.settle(folder);
    });
  }

  /** Puts on disk what an earlier sync could not. */
  async flush(): Promise<void> {
    if (this.#durable) await this.#folders.settleAll();
  }

  async close(): Promise<void> {
    this.#locks.close();
    await this.#temporary.close();
  }

  /** Runs one change, and says in its error what is known about its outcome. */
  async #changing<T>(change: Change, work: (state: State) => Promise<T>): Promise<T> {
    const state: State = { visible: false };
    try {
      await (this.#prepared ?? this.#prepareAgain());
      return await work(state);
    } catch (error) {
      if (error instanceof SourceError) throw error.reason;
      throw translate(error, { operation: change.operation, key: change.key, outcome: state.visible ? "unknown" : "none" });
    }
  }

  async #underLock<T>({ path, signal }: Change, work: () => Promise<T>): Promise<T> {
    const slot = this.#locks.slotOf(path, this.#disk.folding);
    await this.#locks.acquire(slot, signal);
    try {
      return await work();
    } finally {
      this.#locks.release(slot);
    }
  }

  async #publish(names: FileCalls, draft: Draft, change: Change, state: State): Promise<FileStat> {
    try {
      const folder = parentOf(this.#disk.absolute(change.path));
      const stat = await this.#underLock(change, () => this.#place(names, draft, change, state));
      if (!this.#durable) return stat;
      this.#folders.changed(folder);
      await this.#folders.sync(folder);
      return stat;
    } catch (error) {
      await this.#drafts.discard(draft.path);
      throw error;
    }
  }

  /** Moves a draft to its place. Begins again when folders come and go meanwhile. */
  async #place(names: FileCalls, draft: Draft, change: Change, state: State): Promise<FileStat> {
    const target = this.#disk.absolute(change.path);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const current = await this.#current(names, change);
      checkCondition(change, current);
      const stat = await this.#advance(names, draft, change, current);
      change.signal?.throwIfAborted();
      try {
        if (change.ifNoneMatch === undefined) await this.#rename(names, draft.path, target, state);
        else await this.#create(names, draft.path, target, state);
        return stat;
      } catch (error) {
        const code = systemCode(error);
        if (code === "ENOENT" && parentOf(target) !== this.#disk.top) await this.#makeFolders(names, parentOf(target));
        else if (code === undefined || !inTheWay.has(code)) throw error;
        state.visible = false;
      }
    }
    throw new StorageError("conflict", "Others kept changing the folders of this key.", { key: change.key, storage: storageName });
  }

  /** The file that a key leads to now. Removes empty folders in its place; anything else there is refused. */
  async #current(names: FileCalls, change: Change): Promise<FileStat | undefined> {
    const obstacle = await this.#disk.obstacleAt(names, change.path);
    if (obstacle !== undefined) throw invalidKey(obstacle, change);
    const target = this.#disk.absolute(change.path);
    const current = await names.lstat(target);
    if (current === undefined || current.isFile()) return current;
    if (!current.isDirectory()) throw invalidKey("A link, a pipe or a device has the name of this key; it is left alone.", change);
    const below = await firstKeyIn(this.#disk, names, change.path);
    if (below !== undefined) {
      throw invalidKey(
        `The key "${below}" is stored below this one, and a folder cannot hold a value as well; use another key or the layout "encoded".`,
        change,
      );
    }
    if (!(await this.#removeTree(names, change.path))) {
      throw invalidKey("A folder with something other than values in it has the name of this key; it is left alone.", change);
    }
    return undefined;
  }

  async #rename(names: FileCalls, from: string, to: string, state: State): Promise<void> {
    state.visible = true;
    try {
      await names.rename(from, to);
    } catch (error) {
      // Only a failing disk may have done it and not said so.
      state.visible = systemCode(error) === "EIO";
      throw error;
    }
  }

  /** `link` decides, also against other programs. Where there is none, the lock decides among storages. */
  async #create(names: FileCalls, from: string, to: string, state: State): Promise<void> {
    try {
      await names.link(from, to);
    } catch (error) {
      const code = systemCode(error);
      state.visible = code === "EIO";
      if (code === undefined || !noLinks.has(code)) throw error;
      await this.#rename(names, from, to, state);
      return;
    }
    state.visible = true;
    await names.unlink(from);
  }

  async #unlink(names: FileCalls, change: Change, state: State): Promise<boolean> {
    const obstacle = await this.#disk.obstacleAt(names, change.path);
    const target = this.#disk.absolute(change.path);
    const found = obstacle === undefined ? await names.lstat(target) : undefined;
    const current = found?.isFile() === true ? found : undefined;
    checkCondition(change, current);
    if (current === undefined) return false;
    change.signal?.throwIfAborted();
    state.visible = true;
    try {
      await names.unlink(target);
    } catch (error) {
      state.visible = systemCode(error) === "EIO";
      if (systemCode(error) === "ENOENT") return false;
      throw error;
    }
    await this.#remember(names, change, current);
    return true;
  }

  /** Before a draft is synced, its time is made later than that of the value it replaces, so that it is not changed after. */
  #finishing(names: FileCalls, change: Change): ((path: string, stat: FileStat) => Promise<FileStat>) | undefined {
    if (!this.#durable) return undefined;
    return async (path, stat) => {
      const current = await names.lstat(this.#disk.absolute(change.path));
      return await this.#advance(names, { path, stat }, change, current);
    };
  }

  /** The draft with a time later than those of all values before it: no two of them share time, size and file number. */
  async #advance(names: FileCalls, draft: Draft, change: Change, current: FileStat | undefined): Promise<FileStat> {
    const before = current?.mtimeNs ?? (await this.#lastDeleted(names, change, draft.stat));
    let { stat } = draft;
    for (const step of timeSteps) {
      if (stat.mtimeNs > before) return stat;
      await names.utimes(draft.path, Number((before + step) / 1_000n) / 1e6);
      stat = (await names.lstat(draft.path)) ?? stat;
    }
    if (stat.mtimeNs > before) return stat;
    throw new StorageError("unsupported", "The file system does not keep the times of files.", { storage: storageName });
  }

  /** The latest time of a value that was deleted under the same lock: its lock file has it. */
  async #lastDeleted(names: FileCalls, { path }: Change, stat: FileStat): Promise<bigint> {
    const lock = await names.lstat(this.#locks.pathOf(this.#locks.slotOf(path, this.#disk.folding)));
    if (lock === undefined || lock.mtimeNs - stat.mtimeNs > deletedRecently) return 0n;
    return lock.mtimeNs;
  }

  async #remember(names: FileCalls, change: Change, deleted: FileStat): Promise<void> {
    const lock = this.#locks.pathOf(this.#locks.slotOf(change.path, this.#disk.folding));
    const stat = await names.lstat(lock);
    if (stat !== undefined && stat.mtimeNs >= deleted.mtimeNs) return;
    await names.utimes(lock, Math.ceil(Number(deleted.mtimeNs / 1_000n) + 1) / 1e6);
  }

  /** Makes a folder and those above it, but never the one of the storage: where that is gone, so is the disk. */
  async #makeFolders(names: FileCalls, folder: string): Promise<void> {
    try {
      await names.mkdir(folder);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EEXIST") return;
      if (code !== "ENOENT" || parentOf(folder) === this.#disk.top) throw error;
      await this.#makeFolders(names, parentOf(folder));
      await this.#makeFolders(names, folder);
    }
  }

  /** Removes the folders that a delete left empty, and answers the one that is left. */
  async #removeEmptyFolders(names: FileCalls, path: string): Promise<string> {
    let folder = parentOf(this.#disk.absolute(path));
    try {
      for (; folder !== this.#disk.top; folder = parentOf(folder)) await names.rmdir(folder);
    } catch (error) {
      if (systemCode(error) === undefined) throw error; // else somebody uses it
    }
    return folder;
  }

  /** Removes a folder that has only empty folders in it. */
  async #removeTree(names: FileCalls, path: string): Promise<boolean> {
    try {
      for (const name of await this.#disk.namesIn(names, path)) {
        const stat = await names.lstat(this.#disk.absolute(inside(path, name)));
        if (stat !== undefined && (!stat.isDirectory() || !(await this.#removeTree(names, inside(path, name))))) return false;
      }
      await names.rmdir(this.#disk.absolute(path));
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    }
    return true;
  }

  /** Before the first write, and when somebody removed the reserved folder: makes it, for all writers that wait. */
  #prepareAgain(): Promise<void> {
    const preparing = this.#prepare();
    this.#prepared = preparing;
    preparing.catch(() => {
      if (this.#prepared === preparing) this.#prepared = undefined;
    });
    return preparing;
  }

  async #prepare(): Promise<void> {
    const { pool } = this.#disk.fileSystem;
    for (const folder of ["", "/tmp", "/locks"]) {
      const path = this.#disk.reserved + folder;
      await this.#makeFolders(pool, path);
      if ((await pool.lstat(path))?.isDirectory() !== true) {
        throw new StorageError("unavailable", "The reserved name .stowage is taken by something other than a folder.", {
          storage: storageName,
        });
      }
    }
    await this.#temporary.own();
    this.#disk.folding = await foldsCase(this.#disk);
  }
}

/** How far a change got. */
interface State {
  /** The change may be seen, so that an error cannot say that nothing happened. */
  visible: boolean;
}

function checkCondition({ operation, key, ifMatch, ifNoneMatch }: Change, current: FileStat | undefined): void {
  const holds =
    ifNoneMatch === undefined ? ifMatch === undefined || (current !== undefined && etagOf(current) === ifMatch) : current === undefined;
  if (!holds) throw otherVersion(operation, storageName, key);
}
