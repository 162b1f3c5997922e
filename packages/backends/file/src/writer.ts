import type { ByteSource } from "@stowage/core";
import { otherVersion, StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { etagOf } from "./disk.ts";
import type { Draft, Finishing } from "./drafts.ts";
import { Drafts } from "./drafts.ts";
import { invalidKey, storageName, systemCode, translate } from "./errors.ts";
import { FolderSync } from "./folder-sync.ts";
import { makeFolders, parentOf, patiently, removeEmptyFolders, removeHollowFolder } from "./folders.ts";
import type { Answer, FileCalls, FileStat } from "./file-system.ts";
import { firstKeyIn } from "./listing/first-key.ts";
import { Locks } from "./locks.ts";
import { foldsCase } from "./opening.ts";
import { Solo } from "./solo.ts";
import { TemporaryFiles } from "./temporary-files.ts";
import { advance, lastDeleted, matchMode, rememberDeleted } from "./times.ts";

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

/** How far a change got. */
interface State {
  /** The change may be seen, so that an error cannot say that nothing happened. */
  visible: boolean;
}

/** How often a change begins again because others made and removed folders in its way. */
const mostAttempts = 100;

/** What `link` says where there is none. */
const noLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** A folder is where the file should go, or a file where a folder should be. */
const inTheWay = new Set(["EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"]);

/**
 * Changes what keys hold. A value is written to a draft, synced, and moved to its place in one step, under the lock of
 * its key; then the folder is synced. So a reader sees the old value or the new one, whatever happens when.
 */
export class Writer {
  readonly #disk: Disk;
  readonly #durable: boolean;
  readonly #locks: Locks;
  readonly #solo: Solo;
  readonly #temporary: TemporaryFiles;
  readonly #folders: FolderSync;
  readonly #drafts: Drafts;
  #prepared: Promise<void> | undefined;
  #ready = false;

  constructor(disk: Disk, durable: boolean) {
    this.#disk = disk;
    this.#durable = durable;
    this.#locks = new Locks(disk.fileSystem, `${disk.reserved}/locks`);
    this.#solo = new Solo(disk);
    this.#temporary = new TemporaryFiles(disk, [this.#solo.folder, this.#solo.shared]);
    this.#folders = new FolderSync(disk);
    this.#drafts = new Drafts(disk, this.#temporary, this.#solo, () => this.#prepareAgain());
  }

  get folderSyncs(): number {
    return this.#folders.count;
  }

  sweep(): Promise<number> {
    return this.#temporary.sweep();
  }

  async put(change: Change, value: Uint8Array): Promise<FileStat> {
    const state: State = { visible: false };
    try {
      if (!this.#ready) await this.#prepare();
      const choice = await this.#disk.governor.choose(value.byteLength);
      const draft = await this.#drafts.ofValue(choice, value, this.#finishing(choice.names, change));
      return await this.#publish(choice.names, draft, change, state);
    } catch (error) {
      throw told(error, change, state);
    }
  }

  async write(change: Change, source: ByteSource, size: number | undefined): Promise<FileStat> {
    const state: State = { visible: false };
    try {
      if (!this.#ready) await this.#prepare();
      const choice = await this.#disk.governor.choose(Number.POSITIVE_INFINITY);
      const { key, signal } = change;
      const draft = await this.#drafts.ofSource(choice, source, { key, size, signal }, this.#finishing(choice.names, change));
      return await this.#publish(choice.names, draft, change, state);
    } catch (error) {
      throw told(error, change, state);
    }
  }

  async delete(change: Change): Promise<void> {
    const state: State = { visible: false };
    try {
      if (!this.#ready) await this.#prepare();
      const { names } = await this.#disk.governor.choose(0);
      const slot = this.#locks.slotOf(change.path, this.#disk.folding);
      await this.#locks.acquire(slot, true, change.signal);
      let removed: boolean;
      try {
        removed = await this.#remove(names, change, state);
      } finally {
        this.#locks.release(slot);
      }
      let folder = parentOf(this.#disk.absolute(change.path));
      if (removed) folder = await removeEmptyFolders(this.#disk, names, folder);
      if (!this.#durable) return;
      if (removed) this.#folders.changed(folder);
      await this.#folders.settle(folder);
    } catch (error) {
      throw told(error, change, state);
    }
  }

  /** Refuses a change whose condition does not hold now, before more is spent on it. */
  async check(change: Change): Promise<void> {
    if (change.ifMatch === undefined && change.ifNoneMatch === undefined) return;
    const { names } = await this.#disk.governor.choose(0);
    checkCondition(change, await this.#current(names, change, this.#disk.absolute(change.path)));
  }

  /** Puts on disk what an earlier sync could not. */
  async flush(): Promise<void> {
    if (this.#durable) await this.#folders.settleAll();
  }

  async close(): Promise<void> {
    this.#locks.close();
    await this.#solo.close();
    await this.#temporary.close();
  }

  /** Moves a draft to its place, under the lock of its key, and makes sure of it. Discards the draft where that fails. */
  async #publish(names: FileCalls, draft: Draft, change: Change, state: State): Promise<FileStat> {
    const slot = this.#locks.slotOf(change.path, this.#disk.folding);
    try {
      let stat: FileStat | undefined;
      while (stat === undefined) {
        const waiting = this.#locks.acquire(slot, !draft.solo || change.ifNoneMatch !== undefined, change.signal);
        if (waiting !== undefined) await waiting;
        try {
          stat = await this.#place(names, draft, change, state);
        } finally {
          this.#locks.release(slot);
        }
      }
      if (!this.#durable) return stat;
      const folder = parentOf(this.#disk.absolute(change.path));
      this.#folders.changed(folder);
      await this.#folders.sync(folder);
      return stat;
    } catch (error) {
      await this.#drafts.discard(draft);
      throw error;
    }
  }

  /**
   * Moves a draft to its place; begins again when folders come and go meanwhile. Answers `undefined` where the draft was
   * moved because this storage is no longer the only writer, so that the lock is needed.
   */
  async #place(names: FileCalls, draft: Draft, change: Change, state: State): Promise<FileStat | undefined> {
    const target = this.#disk.absolute(change.path);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const current = await this.#current(names, change, target);
      checkCondition(change, current);
      change.signal?.throwIfAborted();
      let tried = false;
      try {
        const before = current?.mtimeNs ?? (await this.#lastDeleted(change, draft));
        if (draft.stat.mtimeNs <= before || (current !== undefined && draft.stat.mode !== current.mode)) {
          await succeed(names, draft, before, current);
        }
        tried = true;
        if (change.ifNoneMatch === undefined) await patiently(this.#disk, () => names.rename(draft.path, target));
        else await this.#create(names, draft, target);
        state.visible = true;
        return draft.stat;
      } catch (error) {
        const code = systemCode(error);
        // Only a failing disk may have done it and not said so.
        state.visible = tried && code === "EIO";
        if (code === undefined || (code !== "ENOENT" && !inTheWay.has(code))) throw error;
        if (code !== "ENOENT") continue;
        if (await this.#drafts.wasMoved(draft)) return undefined;
        if (parentOf(target) === this.#disk.top) throw error;
        await makeFolders(this.#disk, names, parentOf(target));
      }
    }
    throw new StorageError("conflict", "Others kept changing the folders of this key.", { key: change.key, storage: storageName });
  }

  /** The file that a key leads to now; whatever else is there is refused. */
  #current(names: FileCalls, change: Change, target: string): Answer<FileStat | undefined> {
    if (this.#disk.mayHaveObstacle(change.path)) return this.#clearCurrent(names, change, target);
    const current = this.#disk.governor.direct.lstat(target);
    if (current instanceof Promise || (current !== undefined && !current.isFile())) return this.#clearCurrent(names, change, target);
    return current;
  }

  /** As `#current`; removes hollow folders in its place. */
  async #clearCurrent(names: FileCalls, change: Change, target: string): Promise<FileStat | undefined> {
    const obstacle = await this.#disk.obstacleAt(names, change.path);
    if (obstacle !== undefined) throw invalidKey(obstacle, change);
    const current = await this.#disk.governor.direct.lstat(target);
    if (current === undefined || current.isFile()) return current;
    if (!current.isDirectory()) throw invalidKey("A link, a pipe or a device has the name of this key; it is left alone.", change);
    const below = await firstKeyIn(this.#disk, names, change.path);
    if (below !== undefined) {
      throw invalidKey(
        `The key "${below}" is stored below this one, and a folder cannot hold a value as well; use another key or the layout "encoded".`,
        change,
      );
    }
    if (await removeHollowFolder(this.#disk, names, target)) return undefined;
    throw invalidKey("A folder with something other than values in it has the name of this key; it is left alone.", change);
  }

  /** `link` decides, also against other programs. Where there is none, the lock decides among storages. */
  async #create(names: FileCalls, draft: Draft, to: string): Promise<void> {
    try {
      await names.link(draft.path, to);
    } catch (error) {
      if (!noLinks.has(systemCode(error) ?? "")) throw error;
      return await patiently(this.#disk, () => names.rename(draft.path, to));
    }
    await this.#drafts.discard(draft);
  }

  async #remove(names: FileCalls, change: Change, state: State): Promise<boolean> {
    const obstacle = await this.#disk.obstacleAt(names, change.path);
    const target = this.#disk.absolute(change.path);
    const found = obstacle === undefined ? await names.lstat(target) : undefined;
    const current = found?.isFile() === true ? found : undefined;
    checkCondition(change, current);
    if (current === undefined) {
      await this.#disk.checkTop(names);
      return false;
    }
    change.signal?.throwIfAborted();
    try {
      await names.unlink(target);
    } catch (error) {
      const code = systemCode(error);
      state.visible = code === "EIO";
      if (code === "ENOENT") return false;
      throw error;
    }
    state.visible = true;
    await rememberDeleted(names, this.#locks.pathOf(this.#locks.slotOf(change.path, this.#disk.folding)), current);
    return true;
  }

  /** Before a draft is synced it gets its time and permissions, so that nothing about it changes after. */
  #finishing(names: FileCalls, change: Change): Finishing | undefined {
    if (!this.#durable) return undefined;
    return async (draft) => {
      const current = await names.lstat(this.#disk.absolute(change.path));
      await succeed(names, draft, current?.mtimeNs ?? (await this.#lastDeleted(change, draft)), current);
    };
  }

  async #lastDeleted({ path }: Change, { stat }: Draft): Promise<bigint> {
    return await lastDeleted(this.#disk.governor.direct, this.#locks.pathOf(this.#locks.slotOf(path, this.#disk.folding)), stat);
  }

  #prepare(): Promise<void> {
    return this.#prepared ?? this.#prepareAgain();
  }

  /** Before the first write, and when somebody removed the reserved folder: makes it, for all writers that wait. */
  #prepareAgain(): Promise<void> {
    const preparing = this.#makeReserved();
    this.#prepared = preparing;
    preparing.then(
      () => {
        this.#ready = true;
      },
      () => {
        if (this.#prepared === preparing) this.#prepared = undefined;
      },
    );
    return preparing;
  }

  async #makeReserved(): Promise<void> {
    const { pool } = this.#disk.fileSystem;
    await this.#disk.checkTop(pool);
    for (const folder of ["", "/tmp", "/locks", "/owners"]) {
      const path = this.#disk.reserved + folder;
      await makeFolders(this.#disk, pool, path);
      if ((await pool.lstat(path))?.isDirectory() !== true) {
        throw new StorageError("unavailable", "The reserved name .stowage is taken by something other than a folder.", {
          storage: storageName,
        });
      }
    }
    await this.#temporary.own();
    await this.#solo.begin(() => this.#temporary.isAlone());
    this.#disk.folding = await foldsCase(this.#disk);
  }
}

/** Makes a draft ready to come after a value: later than it, and with its permissions. */
async function succeed(names: FileCalls, draft: Draft, before: bigint, current: FileStat | undefined): Promise<void> {
  if (current !== undefined) await matchMode(names, draft.path, draft.stat, current);
  draft.stat = await advance(names, draft.path, draft.stat, before);
}

/** The error of a change, with what is known about its outcome. */
function told(error: unknown, { operation, key }: Change, { visible }: State): unknown {
  return translate(error, { operation, key, outcome: visible ? "unknown" : "none" });
}

function checkCondition({ operation, key, ifMatch, ifNoneMatch }: Change, current: FileStat | undefined): void {
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  const holds = ifNoneMatch === undefined ? current !== undefined && etagOf(current) === ifMatch : current === undefined;
  if (!holds) throw otherVersion(operation, storageName, key);
}
