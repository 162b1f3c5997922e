import type { Disk } from "./disk.ts";
import { systemCode } from "./errors.ts";
import type { FileLock } from "./file-system.ts";
import { openLockAt } from "./locks.ts";

/**
 * Spares the only writer of a folder the locks between processes.
 *
 * Such a writer makes its drafts in a folder of their own, and publishes by renaming out of it. Whoever starts to write
 * later takes every draft out of that folder and then removes it, before its own first change. From then on a rename
 * from there fails, and so does the making of a draft: the step that would publish is itself the check that nobody else
 * has come. A writer that finds itself no longer alone goes on under locks, with its draft from where it was moved to.
 * Nothing has to be waited for, and a writer that was killed is no exception.
 */
export class Solo {
  readonly #disk: Disk;
  readonly #lockPath: string;
  /** Where the drafts of a lonely writer are. */
  readonly folder: string;
  /** Where they go when somebody else comes. */
  readonly shared: string;
  #alone = false;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.folder = `${disk.reserved}/solo`;
    this.shared = `${disk.reserved}/tmp`;
    this.#lockPath = `${disk.reserved}/locks/solo`;
  }

  /** Whether this storage may still publish without locks; only the attempt tells for sure. */
  get alone(): boolean {
    return this.#alone;
  }

  /** Ends the solo of everybody else, and begins one if nobody else writes. To be called before the first change. */
  async begin(isAlone: () => Promise<boolean>): Promise<void> {
    const lock = await this.#acquire();
    try {
      await this.#endAll();
      this.#alone = await isAlone();
      if (this.#alone) await this.#disk.fileSystem.pool.mkdir(this.folder);
    } finally {
      lock.release();
      lock.close();
    }
  }

  /** Notes that somebody else has come. */
  end(): void {
    this.#alone = false;
  }

  /** Leaves nothing behind that others would have to take apart. */
  async close(): Promise<void> {
    if (!this.#alone) return;
    this.#alone = false;
    try {
      await this.#disk.fileSystem.pool.rmdir(this.folder);
    } catch (error) {
      if (systemCode(error) === undefined) throw error; // else it is the next writer's
    }
  }

  /** The folder can only be removed while it is empty, and once it is removed nothing can be made in it. */
  async #endAll(): Promise<void> {
    const { pool } = this.#disk.fileSystem;
    for (;;) {
      try {
        await pool.rmdir(this.folder);
        return;
      } catch (error) {
        const code = systemCode(error);
        if (code === "ENOENT") return;
        if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
      }
      for (const name of await this.#disk.namesIn(pool, this.folder)) {
        try {
          await pool.rename(`${this.folder}/${name}`, `${this.shared}/${name}`);
        } catch (error) {
          if (systemCode(error) !== "ENOENT") throw error; // else it was published just now
        }
      }
    }
  }

  /** Held only for a moment, and only by writers that begin. */
  async #acquire(): Promise<FileLock> {
    const lock = await openLockAt(this.#disk.fileSystem, this.#lockPath);
    while (!lock.tryAcquire()) await this.#disk.governor.turn();
    return lock;
  }
}
