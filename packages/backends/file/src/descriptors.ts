import type { Clock } from "@stowage/core";
import { systemCode } from "./errors.ts";
import type { FileCalls, FolderReader } from "./file-system.ts";

/** Files that calls of one storage have open at once; streams that callers read or feed come on top. */
const limit = 64;

/** Waits, in milliseconds, before an open that met the limit of the process is tried again: two seconds in all. */
const waits = [5, 15, 30, 50, 100, 200, 400, 600, 600];

/** Bounds the open files, and waits where the process or the system has none left. */
export class Descriptors {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #free = limit;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get inUse(): number {
    return limit - this.#free;
  }

  /** Takes the right to open a file. Never held while waiting for a caller, who may need another file to go on. */
  take(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  async open(calls: FileCalls, path: string, flags: number, mode?: number): Promise<number> {
    for (const wait of waits) {
      try {
        return await calls.open(path, flags, mode);
      } catch (error) {
        await this.#afterLimit(error, wait);
      }
    }
    return await calls.open(path, flags, mode);
  }

  async opendir(calls: FileCalls, path: string): Promise<FolderReader> {
    for (const wait of waits) {
      try {
        return await calls.opendir(path);
      } catch (error) {
        await this.#afterLimit(error, wait);
      }
    }
    return await calls.opendir(path);
  }

  async #afterLimit(error: unknown, wait: number): Promise<void> {
    const code = systemCode(error);
    if (code !== "EMFILE" && code !== "ENFILE") throw error;
    await this.#clock.sleep(wait);
  }
}
