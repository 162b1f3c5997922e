import { otherVersion, StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { etagOf } from "./disk.ts";
import type { Draft, Drafts, Finishing } from "./drafts.ts";
import { invalidKey, storageName, systemCode } from "./errors.ts";
import { makeFolders, parentOf, patiently, removeHollowFolder } from "./folders.ts";
import type { Answer, FileCalls, FileStat } from "./file-system.ts";
import type { FolderSync } from "./folder-sync.ts";
import { firstKeyIn } from "./listing/first-key.ts";
import type { Locks } from "./locks.ts";
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
export interface State {
  /** The change may be seen, so that an error cannot say that nothing happened. */
  visible: boolean;
}

/** How often a change begins again because others made and removed folders in its way. */
const mostAttempts = 100;

/** What `link` says where there is none. */
const noLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** A folder is where the file should go, or a file where a folder should be. */
const inTheWay = new Set(["EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"]);

/** Makes changes visible, each in one step and under the lock of its key. */
export class Publisher {
  readonly #disk: Disk;
  readonly #locks: Locks;
  readonly #drafts: Drafts;
  readonly #folders: FolderSync;

  constructor(disk: Disk, locks: Locks, drafts: Drafts, folders: FolderSync) {
    this.#disk = disk;
    this.#locks = locks;
    this.#drafts = drafts;
    this.#folders = folders;
  }

  /** Moves a draft to its place. Discards it where that fails. */
  async publish(names: FileCalls, draft: Draft, change: Change, state: State): Promise<FileStat> {
    const slot = this.#locks.slotOf(change.path, this.#disk.folding);
    try {
      for (;;) {
        const waiting = this.#locks.acquire(slot, !draft.solo || change.ifNoneMatch !== undefined, change.signal);
        if (waiting !== undefined) await waiting;
        try {
          const stat = await this.#place(names, draft, change, state);
          if (stat !== undefined) return stat;
        } finally {
          this.#locks.release(slot);
        }
      }
    } catch (error) {
      this.#drafts.discard(draft);
      throw error;
    }
  }

  /**
   * The common case of `publish`, in one go: this is the only writer, and nothing is in the way. Answers `undefined`, with
   * nothing done, where it is not that case.
   */
  publishNow(draft: Draft, change: Change, state: State): FileStat | undefined {
    try {
      return this.#placeNow(draft, change, state);
    } catch (error) {
      this.#drafts.discard(draft);
      throw error;
    }
  }

  #placeNow(draft: Draft, change: Change, state: State): FileStat | undefined {
    const slot = this.#locks.slotOf(change.path, this.#disk.folding);
    if (
      this.#disk.platform === "win32" ||
      !draft.solo ||
      change.ifNoneMatch !== undefined ||
      !this.#locks.isFree(slot) ||
      !this.#disk.isPlainNow(change.path)
    )
      return undefined;
    const { direct } = this.#disk.governor;
    const target = this.#disk.absolute(change.path);
    const current = direct.lstat(target);
    if (current !== undefined && !current.isFile()) return undefined;
    checkCondition(change, current);
    try {
      this.#succeed(draft, change, current);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      direct.rename(draft.path, target);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT" || (code !== undefined && inTheWay.has(code))) return undefined;
      state.visible = code === "EIO";
      throw error;
    }
    state.visible = true;
    return draft.stat;
  }

  /** Removes a value, and answers whether there was one. */
  async remove(names: FileCalls, change: Change, state: State): Promise<boolean> {
    const slot = this.#locks.slotOf(change.path, this.#disk.folding);
    await this.#locks.acquire(slot, true, change.signal);
    try {
      return await this.#unlink(names, change, state);
    } finally {
      this.#locks.release(slot);
    }
  }

  /** Refuses a change whose condition does not hold now. */
  async check(names: FileCalls, change: Change): Promise<void> {
    checkCondition(change, await this.#current(names, change, this.#disk.absolute(change.path)));
  }

  /** Before a draft is synced it gets its time and permissions, so that nothing about it changes after. */
  finishing(change: Change): Finishing {
    return (draft) => this.#succeed(draft, change, this.#disk.governor.direct.lstat(this.#disk.absolute(change.path)));
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
        this.#succeed(draft, change, current);
        tried = true;
        if (change.ifNoneMatch === undefined) await patiently(this.#disk, () => names.rename(draft.path, target));
        else await this.#create(names, draft, target);
        state.visible = true;
        this.#folders.changed(parentOf(target));
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
    return current === undefined || current.isFile() ? current : this.#clearCurrent(names, change, target);
  }

  /** As `#current`; removes hollow folders in its place. */
  async #clearCurrent(names: FileCalls, change: Change, target: string): Promise<FileStat | undefined> {
    const obstacle = await this.#disk.obstacleAt(names, change.path);
    if (obstacle !== undefined) throw invalidKey(obstacle, change);
    const current = this.#disk.governor.direct.lstat(target);
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
    this.#drafts.discard(draft);
  }

  async #unlink(names: FileCalls, change: Change, state: State): Promise<boolean> {
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
    this.#folders.changed(parentOf(target));
    rememberDeleted(this.#disk.governor.direct, this.#lockOf(change), current);
    return true;
  }

  /** Makes a draft ready to come after what is there: later than it, or than what was deleted, and with its permissions. */
  #succeed(draft: Draft, change: Change, current: FileStat | undefined): void {
    const { direct } = this.#disk.governor;
    if (current !== undefined) draft.stat = matchMode(direct, draft.path, draft.stat, current);
    const before = current?.mtimeNs ?? lastDeleted(direct, this.#lockOf(change), draft.stat);
    draft.stat = advance(direct, draft.path, draft.stat, before);
  }

  #lockOf({ path }: Change): string {
    return this.#locks.pathOf(this.#locks.slotOf(path, this.#disk.folding));
  }
}

function checkCondition({ operation, key, ifMatch, ifNoneMatch }: Change, current: FileStat | undefined): void {
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  const holds = ifNoneMatch === undefined ? current !== undefined && etagOf(current) === ifMatch : current === undefined;
  if (!holds) throw otherVersion(operation, storageName, key);
}
