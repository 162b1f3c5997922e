import type { ByteSource } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { Drafts } from "./drafts.ts";
import { storageName, translate } from "./errors.ts";
import { FolderSync } from "./folder-sync.ts";
import { makeFolders, parentOf, removeEmptyFolders } from "./folders.ts";
import type { FileStat } from "./file-system.ts";
import { Locks } from "./locks.ts";
import { foldsCase } from "./opening.ts";
import type { Change, State } from "./publisher.ts";
import { Publisher } from "./publisher.ts";
import { Solo } from "./solo.ts";
import { TemporaryFiles } from "./temporary-files.ts";

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
  readonly #publisher: Publisher;
  #prepared: Promise<void> | undefined;
  #ready = false;

  constructor(disk: Disk, durable: boolean) {
    this.#disk = disk;
    this.#durable = durable;
    this.#locks = new Locks(disk.fileSystem, `${disk.reserved}/locks`);
    this.#solo = new Solo(disk);
    this.#temporary = new TemporaryFiles(disk, [this.#solo.folder, this.#solo.shared]);
    this.#folders = new FolderSync(disk, durable);
    this.#drafts = new Drafts(disk, this.#temporary, this.#solo, () => this.#prepareAgain());
    this.#publisher = new Publisher(disk, this.#locks, this.#drafts, this.#folders);
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
      const chosen = this.#disk.governor.choose(value.byteLength);
      const choice = chosen instanceof Promise ? await chosen : chosen;
      const quick = !this.#durable && this.#disk.governor.isDirect(choice) && change.ifNoneMatch === undefined;
      const draft =
        (quick ? this.#drafts.ofValueNow(value) : undefined) ??
        (await this.#drafts.ofValue(choice, value, this.#durable ? this.#publisher.finishing(change) : undefined));
      const published = quick ? this.#publisher.publishNow(draft, change, state) : undefined;
      const stat = published ?? (await this.#publisher.publish(choice.names, draft, change, state));
      if (this.#durable) await this.#folders.sync(this.#folderOf(change));
      return stat;
    } catch (error) {
      throw told(error, change, state);
    }
  }

  async write(change: Change, source: ByteSource, size: number | undefined): Promise<FileStat> {
    const state: State = { visible: false };
    try {
      if (!this.#ready) await this.#prepare();
      const choice = await this.#disk.governor.choose(Number.POSITIVE_INFINITY);
      const finishing = this.#durable ? this.#publisher.finishing(change) : undefined;
      const draft = await this.#drafts.ofSource(choice, source, { key: change.key, size, signal: change.signal }, finishing);
      const stat = await this.#publisher.publish(choice.names, draft, change, state);
      if (this.#durable) await this.#folders.sync(this.#folderOf(change));
      return stat;
    } catch (error) {
      throw told(error, change, state);
    }
  }

  async delete(change: Change): Promise<void> {
    const state: State = { visible: false };
    try {
      if (!this.#ready) await this.#prepare();
      const { names } = await this.#disk.governor.choose(0);
      const folder = this.#folderOf(change);
      if (await this.#publisher.remove(names, change, state)) {
        this.#folders.wentUpTo(folder, await removeEmptyFolders(this.#disk, names, folder));
      }
      await this.#folders.settle(folder);
    } catch (error) {
      throw told(error, change, state);
    }
  }

  /** Refuses a change whose condition does not hold now, before more is spent on it. */
  async check(change: Change): Promise<void> {
    if (change.ifMatch === undefined && change.ifNoneMatch === undefined) return;
    await this.#publisher.check((await this.#disk.governor.choose(0)).names, change);
  }

  /** Puts on disk what is not there yet. */
  async flush(): Promise<void> {
    await this.#folders.settleAll();
  }

  async close(): Promise<void> {
    this.#locks.close();
    await this.#solo.close();
    await this.#temporary.close();
  }

  #folderOf({ path }: Change): string {
    return parentOf(this.#disk.absolute(path));
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

/** The error of a change, with what is known about its outcome. */
function told(error: unknown, { operation, key }: Change, { visible }: State): unknown {
  return translate(error, { operation, key, outcome: visible ? "unknown" : "none" });
}
