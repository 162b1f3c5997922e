import { constants } from "node:fs";
import type { Disk } from "./disk.ts";
import { systemCode } from "./errors.ts";
import { parentOf } from "./folders.ts";

/** Folders remembered as being on disk themselves. */
const remembered = 10_000;

const openFolder = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

/**
 * Puts on disk what names a folder has. Many writers share one sync: whoever comes while one is running waits for the
 * next, which begins after that one has ended and so covers all who wait. A folder that this process has not synced
 * before may be new, so its name in the folder above is synced as well, up to the top.
 */
export class FolderSync {
  readonly #disk: Disk;
  /** Without it nothing is noted, and nothing is ever to be settled. */
  readonly #durable: boolean;
  readonly #running = new Map<string, Promise<void>>();
  readonly #queued = new Map<string, Promise<void>>();
  /** What identifies each folder whose name is known to be on disk: a folder made anew under its name is another one. */
  readonly #settled = new Map<string, string>();
  /** Folders that have changed since their last sync began, or whose last sync failed. */
  readonly #changed = new Set<string>();
  #count = 0;

  constructor(disk: Disk, durable: boolean) {
    this.#disk = disk;
    this.#durable = durable;
  }

  /** Syncs done so far. */
  get count(): number {
    return this.#count;
  }

  /** Notes that a name in a folder has changed. To be called before anybody else can find out. */
  changed(folder: string): void {
    if (this.#durable) this.#changed.add(folder);
  }

  /** Notes that a folder and those above it were removed, up to one that is left. */
  wentUpTo(folder: string, left: string): void {
    if (left === folder) return;
    this.changed(left);
    for (let gone = folder; gone !== left; gone = parentOf(gone)) this.#changed.delete(gone);
  }

  /**
   * Syncs a folder, and those above it, only where they have changed: after a delete, also one that found nothing to do,
   * because an earlier one had done it that may not be on disk yet.
   */
  async settle(folder: string): Promise<void> {
    for (let each = folder; ; each = parentOf(each)) {
      if (this.#changed.has(each) || this.#running.has(each)) await this.sync(each);
      if (each === this.#disk.top) return;
    }
  }

  async settleAll(): Promise<void> {
    await Promise.all(Array.from(this.#changed, (folder) => this.sync(folder)));
  }

  /** Puts on disk all changes in a folder that were made before this call. */
  sync(folder: string): Promise<void> {
    const running = this.#running.get(folder);
    if (running === undefined) return this.#begin(folder);
    const queued = this.#queued.get(folder);
    if (queued !== undefined) return queued;
    const next = running.then(ignore, ignore).then(() => {
      this.#queued.delete(folder);
      return this.#begin(folder);
    });
    this.#queued.set(folder, next);
    return next;
  }

  #begin(folder: string): Promise<void> {
    const running = this.#syncNow(folder).finally(() => this.#running.delete(folder));
    this.#running.set(folder, running);
    return running;
  }

  async #syncNow(folder: string): Promise<void> {
    const { top } = this.#disk;
    this.#changed.delete(folder);
    try {
      const identity = await this.#syncOne(folder);
      if (folder === top || (identity !== undefined && this.#settled.get(folder) === identity)) return;
      await this.sync(parentOf(folder));
      if (identity === undefined) return;
      if (this.#settled.size >= remembered) this.#settled.clear();
      this.#settled.set(folder, identity);
    } catch (error) {
      this.#changed.add(folder);
      throw error;
    }
  }

  /** The identity of the folder that was synced; `undefined` where it is gone, because whoever emptied it removed it. */
  async #syncOne(folder: string): Promise<string | undefined> {
    const { fileSystem, governor, descriptors, top } = this.#disk;
    await descriptors.take();
    try {
      const fd = await descriptors.open(governor.pooled ? fileSystem.pool : governor.direct, folder, openFolder);
      try {
        const { ino, birthtimeNs } = governor.direct.fstat(fd);
        this.#count++;
        await fileSystem.pool.fsync(fd);
        return `${ino}.${birthtimeNs}`;
      } finally {
        governor.direct.close(fd);
      }
    } catch (error) {
      if (folder !== top && systemCode(error) === "ENOENT") return undefined;
      throw error;
    } finally {
      descriptors.give();
    }
  }
}

const ignore = (): void => {};
