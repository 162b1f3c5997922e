import { constants } from "node:fs";
import { StorageError } from "@stowage/core";
import { storageName, systemCode } from "./errors.ts";
import type { FileLock, FileSystem } from "./file-system.ts";

/** A file of a lock is made by itself, so that what stands against it is told as it is. */
const makeFlags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;

/**
 * Opens a lock and makes its file where it is missing. A file that is there is left to the lock alone: closing it here
 * would free what somebody else in this process holds.
 */
export async function openLockAt(fileSystem: FileSystem, path: string): Promise<FileLock> {
  try {
    await fileSystem.pool.close(await fileSystem.pool.open(path, makeFlags, 0o666));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  return await fileSystem.openLock(path);
}

/** Locks that the keys share; two keys with the same one only wait for each other. */
const slots = 16;

/** Milliseconds that a writer waits for another process. */
const longestWait = 10_000;

/** Turns of the event loop that a writer waits before it tries less often. */
const eagerTurns = 50;

/**
 * The order of all changes to one key, across the processes of a host. Every change takes the lock of its key around the
 * step that makes it visible, unconditional ones too: otherwise one could come between the check and the change of a
 * conditional one, and be overwritten unseen.
 */
export class Locks {
  readonly #fileSystem: FileSystem;
  readonly #folder: string;
  readonly #slots: Slot[];

  constructor(fileSystem: FileSystem, folder: string, patience: number = longestWait) {
    this.#fileSystem = fileSystem;
    this.#folder = folder;
    this.#slots = Array.from({ length: slots }, (_, index) => new Slot(this.pathOf(index), patience));
  }

  /** The slot of a path. Where the file system folds case, all share one, because it is not known what it folds. */
  slotOf(path: string, folding: boolean): number {
    if (folding) return 0;
    let hash = 0x811c9dc5;
    for (let index = 0; index < path.length; index++) hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193);
    return ((hash >>> 16) ^ hash) & (slots - 1);
  }

  /** The file of a slot. */
  pathOf(slot: number): string {
    return `${this.#folder}/${slot.toString(16)}`;
  }

  /** Whether nobody in this process has a slot. */
  isFree(slot: number): boolean {
    return !this.#slots[slot]!.held;
  }

  /** Takes a slot: first in line within this process, then, where it is `shared`, against the others. */
  acquire(slot: number, shared: boolean, signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#slots[slot]!.acquire(shared ? this.#fileSystem : undefined, signal);
  }

  release(slot: number): void {
    this.#slots[slot]!.release();
  }

  close(): void {
    for (const slot of this.#slots) slot.close();
  }
}

class Slot {
  readonly #path: string;
  readonly #patience: number;
  readonly #waiting: (() => void)[] = [];
  #lock: FileLock | undefined;
  #held = false;
  /** Held against other processes as well. */
  #locked = false;

  constructor(path: string, patience: number) {
    this.#path = path;
    this.#patience = patience;
  }

  /** Held by somebody in this process. */
  get held(): boolean {
    return this.#held;
  }

  acquire(fileSystem: FileSystem | undefined, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#held || fileSystem !== undefined) return this.#acquireLater(fileSystem, signal);
    this.#held = true;
    return undefined;
  }

  async #acquireLater(fileSystem: FileSystem | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held = true;
    try {
      signal?.throwIfAborted();
      if (fileSystem === undefined) return;
      this.#lock ??= await openLockAt(fileSystem, this.#path);
      if (!this.#lock.tryAcquire()) await this.#wait(this.#lock, signal);
      this.#locked = true;
    } catch (error) {
      this.#passOn();
      throw error;
    }
  }

  release(): void {
    try {
      if (this.#locked) this.#lock?.release();
    } finally {
      this.#locked = false;
      this.#passOn();
    }
  }

  close(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  #passOn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }

  /** Waits in real time, because it waits for another process. */
  async #wait(lock: FileLock, signal: AbortSignal | undefined): Promise<void> {
    const deadline = performance.now() + this.#patience;
    for (let turn = 0; !lock.tryAcquire(); turn++) {
      signal?.throwIfAborted();
      if (performance.now() > deadline) {
        throw new StorageError("unavailable", `Another process has held a lock under .stowage/locks for ${this.#patience / 1000} s.`, {
          storage: storageName,
        });
      }
      await new Promise<void>((resolve) => void (turn < eagerTurns ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
  }
}
