import { randomBytes } from "node:crypto";
import type { Disk } from "./disk.ts";
import { foreignCode, systemCode } from "./errors.ts";
import type { FileCalls, FileLock } from "./file-system.ts";
import { openLockAt } from "./locks.ts";

const draftName = /^([0-9a-f]{32})-[0-9a-z]+$/;
const ownerName = /^[0-9a-f]{32}$/;

/**
 * Names for drafts, each with 128 random bits of its owner. An owner holds a lock that the kernel frees when its process
 * ends, so a sweep knows whose drafts are left over, and never takes one from a writer that lives.
 */
export class TemporaryFiles {
  readonly #disk: Disk;
  /** Where drafts are. */
  readonly #folders: readonly string[];
  readonly #owners: string;
  #owner: string | undefined;
  #lock: FileLock | undefined;
  #count = 0;

  constructor(disk: Disk, folders: readonly string[]) {
    this.#disk = disk;
    this.#folders = folders;
    this.#owners = `${disk.reserved}/owners`;
  }

  /** A name that no other file has. */
  next(): string {
    return `${this.#owner}-${(this.#count++).toString(36)}`;
  }

  /** Makes this storage an owner; the folders must be there. */
  async own(): Promise<void> {
    if (this.#owner !== undefined && (await this.#isThere(this.#owner))) return;
    this.#disown();
    while (this.#owner === undefined) {
      const owner = randomBytes(16).toString("hex");
      const lock = await this.#openLock(owner);
      try {
        // A sweep may have seen the new file before it was locked, and removed it.
        if (!lock.tryAcquire() || !(await this.#isThere(owner))) continue;
        this.#owner = owner;
        this.#lock = lock;
      } finally {
        if (this.#lock !== lock) lock.close();
      }
    }
  }

  /** Whether no other owner lives. One that begins now will find this one. */
  async isAlone(): Promise<boolean> {
    for (const owner of await this.#namesIn(this.#owners)) {
      if (owner === this.#owner || !ownerName.test(owner)) continue;
      const lock = await this.#openLock(owner);
      try {
        if (!lock.tryAcquire()) return false;
      } finally {
        lock.close();
      }
    }
    return true;
  }

  /**
   * Removes what owners left that are gone, and answers how many drafts that were. Touches nothing else. Where something
   * cannot be removed, as on a disk that can only be read, it is left to a later sweep.
   */
  async sweep(): Promise<number> {
    let swept = 0;
    for (const [owner, drafts] of await this.#leftOver()) {
      try {
        swept += await this.#sweepOwner(owner, drafts);
      } catch (error) {
        if (foreignCode(error) === undefined) throw error;
      }
    }
    return swept;
  }

  async #sweepOwner(owner: string, drafts: readonly string[]): Promise<number> {
    if (owner === this.#owner) return 0;
    const { pool } = this.#disk.fileSystem;
    const lock = await this.#openLock(owner);
    try {
      if (!lock.tryAcquire()) return 0;
      let swept = 0;
      for (const path of drafts) if (await unlinkIfThere(pool, path)) swept++;
      await unlinkIfThere(pool, `${this.#owners}/${owner}`);
      return swept;
    } finally {
      lock.close();
    }
  }

  /** The paths of drafts by their owners. */
  async #leftOver(): Promise<Map<string, string[]>> {
    const drafts = new Map<string, string[]>();
    for (const owner of await this.#namesIn(this.#owners)) if (ownerName.test(owner)) drafts.set(owner, []);
    for (const folder of this.#folders) {
      for (const name of await this.#namesIn(folder)) {
        const owner = draftName.exec(name)?.[1];
        if (owner === undefined) continue;
        const paths = drafts.get(owner) ?? [];
        drafts.set(owner, paths);
        paths.push(`${folder}/${name}`);
      }
    }
    return drafts;
  }

  async close(): Promise<void> {
    if (this.#owner !== undefined) await unlinkIfThere(this.#disk.fileSystem.pool, `${this.#owners}/${this.#owner}`);
    this.#disown();
  }

  #openLock(owner: string): Promise<FileLock> {
    return openLockAt(this.#disk.fileSystem, `${this.#owners}/${owner}`);
  }

  async #isThere(owner: string): Promise<boolean> {
    return (await this.#disk.fileSystem.pool.lstat(`${this.#owners}/${owner}`)) !== undefined;
  }

  #disown(): void {
    this.#lock?.close();
    this.#lock = undefined;
    this.#owner = undefined;
  }

  async #namesIn(folder: string): Promise<string[]> {
    try {
      return await this.#disk.namesIn(this.#disk.fileSystem.pool, folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  }
}

async function unlinkIfThere(calls: FileCalls, path: string): Promise<boolean> {
  try {
    await calls.unlink(path);
    return true;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return false;
  }
}
