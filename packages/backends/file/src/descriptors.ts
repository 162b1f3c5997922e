import type { Clock } from "@stowage/core";
import { systemCode } from "./errors.ts";
import type { Answer, FileCalls, FolderReader } from "./file-system.ts";

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

  get isFree(): boolean {
    return this.#free > 0;
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

  /** Opens a file; a direct call is answered at once. */
  open(calls: FileCalls, path: string, flags: number, mode?: number): Answer<number> {
    const call = (): Answer<number> => calls.open(path, flags, mode);
    try {
      const answer = call();
      return typeof answer === "number" ? answer : answer.catch((error: unknown) => this.#again(call, error));
    } catch (error) {
      return this.#again(call, error);
    }
  }

  async opendir(calls: FileCalls, path: string): Promise<FolderReader> {
    try {
      return await calls.opendir(path);
    } catch (error) {
      return await this.#again(() => calls.opendir(path), error);
    }
  }

  /** Tries again and again what failed for want of descriptors, and only that. */
  async #again<T>(call: () => Answer<T>, error: unknown): Promise<T> {
    let last = error;
    for (const wait of waits) {
      const code = systemCode(last);
      if (code !== "EMFILE" && code !== "ENFILE") break;
      await this.#clock.sleep(wait);
      try {
        return await call();
      } catch (next) {
        last = next;
      }
    }
    throw last;
  }
}
