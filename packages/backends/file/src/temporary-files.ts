import { randomBytes } from "node:crypto";
import type { Descriptors } from "./descriptors.ts";
import { systemCode } from "./errors.ts";
import type { FileCalls, FileLock, FileSystem } from "./file-system.ts";

const ownerSuffix = ".owner";
const ownedName = /^([0-9a-f]{32})(?:\.owner|-[0-9a-z]+)$/;

/**
 * Names for temporary files, each with 128 random bits of its owner. An owner holds a lock that the kernel frees when its
 * process ends, so a sweep knows whose files are left over, and never takes one from a writer that lives.
 */
export class TemporaryFiles {
  readonly #fileSystem: FileSystem;
  readonly #descriptors: Descriptors;
  readonly #folder: string;
  #owner: string | undefined;
  #lock: FileLock | undefined;
  #count = 0;

  constructor(fileSystem: FileSystem, descriptors: Descriptors, folder: string) {
    this.#fileSystem = fileSystem;
    this.#descriptors = descriptors;
    this.#folder = folder;
  }

  /** A path that nobody else uses. */
  next(): string {
    return `${this.#folder}/${this.#owner}-${(this.#count++).toString(36)}`;
  }

  /** Makes this storage an owner; the folder must be there. */
  async own(): Promise<void> {
    if (this.#owner !== undefined && (await this.#stillThere(this.#owner))) return;
    this.#disown();
    for (;;) {
      const owner = randomBytes(16).toString("hex");
      const lock = await this.#fileSystem.openLock(this.#ownerPath(owner));
      // A sweep may have seen the new file before it was locked, and removed it.
      if (lock.tryAcquire() && (await this.#stillThere(owner))) {
        this.#owner = owner;
        this.#lock = lock;
        return;
      }
      lock.close();
    }
  }

  /** Removes what writers left that are gone, and answers how many temporary files that were. */
  async sweep(calls: FileCalls): Promise<number> {
    const byOwner = Map.groupBy(await this.#names(calls), (name) => ownedName.exec(name)?.[1]);
    let swept = 0;
    for (const [owner, names] of byOwner) {
      if (owner === undefined || owner === this.#owner) continue;
      const lock = await this.#fileSystem.openLock(this.#ownerPath(owner));
      try {
        if (!lock.tryAcquire()) continue;
        for (const name of names) {
          if (name.endsWith(ownerSuffix)) continue;
          await unlinkIfThere(calls, `${this.#folder}/${name}`);
          swept++;
        }
        await unlinkIfThere(calls, this.#ownerPath(owner));
      } finally {
        lock.close();
      }
    }
    return swept;
  }

  async close(): Promise<void> {
    if (this.#owner !== undefined) await unlinkIfThere(this.#fileSystem.pool, this.#ownerPath(this.#owner));
    this.#disown();
  }

  #ownerPath(owner: string): string {
    return `${this.#folder}/${owner}${ownerSuffix}`;
  }

  async #stillThere(owner: string): Promise<boolean> {
    return (await this.#fileSystem.pool.lstat(this.#ownerPath(owner))) !== undefined;
  }

  #disown(): void {
    this.#lock?.close();
    this.#lock = undefined;
    this.#owner = undefined;
  }

  async #names(calls: FileCalls): Promise<string[]> {
    const names: string[] = [];
    let reader;
    try {
      reader = await this.#descriptors.opendir(calls, this.#folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return names;
      throw error;
    }
    try {
      for (let entry = await reader.next(); entry !== null; entry = await reader.next()) names.push(entry.name);
    } finally {
      await reader.close();
    }
    return names;
  }
}

async function unlinkIfThere(calls: FileCalls, path: string): Promise<void> {
  try {
    await calls.unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
