import { Turns } from "@stowage/core";
import type { DirectCalls, FileCalls, FileSystem } from "./file-system.ts";

/** Values up to this many bytes are read and written on the calling thread, while the disk is quick. */
const smallSize: number = 16 * 1024;

/** Milliseconds that a direct call may take. */
const patience = 1;

/** Milliseconds on the thread pool after a slow direct call: at first, and at most, after it was slow again and again. */
const firstRetreat = 2;
const longestRetreat = 5_000;

/** How much longer each retreat is than the one before. */
const growth = 4;

/** Direct calls without a slow one that end the trouble: a cold disk is slow again at once, a busy machine is not. */
const quickAgain = 64;

/** Which calls one operation uses. */
export interface Choice {
  /** For names: open, rename, unlink, folders. */
  readonly names: FileCalls;
  /** For bytes: read and write. */
  readonly bytes: FileCalls;
}

/**
 * Decides between the calling thread and the thread pool. A direct call to a quick disk takes a few microseconds, a trip
 * to the pool fifty; but direct calls in a row would starve timers and sockets, and a slow disk would stop everything.
 * So they are bounded by size, by time per turn, and given up for a while whenever one took over a millisecond.
 */
export class Governor {
  /** Direct calls, each of them timed. For calls that touch only what the kernel has in memory, whatever the choice. */
  readonly direct: DirectCalls;
  readonly #small: Choice;
  readonly #large: Choice;
  readonly #pooled: Choice;
  readonly #alwaysPool: boolean;
  readonly #now: () => number;
  #poolUntil = 0;
  #retreat = 0;
  #callsSince = quickAgain;
  readonly #turns: Turns;

  constructor(fileSystem: FileSystem, io: "auto" | "pool", now: () => number = () => performance.now()) {
    const { direct, pool } = fileSystem;
    this.#now = now;
    this.#turns = new Turns(setImmediate, now);
    this.direct = this.#timed(direct);
    this.#small = { names: this.direct, bytes: this.direct };
    this.#large = { names: this.direct, bytes: pool };
    this.#pooled = { names: pool, bytes: pool };
    this.#alwaysPool = io === "pool";
  }

  /** Whether direct calls are given up at the moment. */
  get pooled(): boolean {
    return this.#alwaysPool || (this.#poolUntil !== 0 && this.#now() < this.#poolUntil);
  }

  /** The calls for an operation on this many bytes, once the event loop has had its turn. */
  choose(size: number): Choice | Promise<Choice> {
    if (this.pooled) return this.#pooled;
    if (this.#turns.hasTime) return size <= smallSize ? this.#small : this.#large;
    return this.turn().then(() => this.choose(size));
  }

  /** Whether a choice is that of direct calls only. */
  isDirect(choice: Choice): boolean {
    return choice === this.#small;
  }

  /** The calls for bytes whose number became known after the choice. */
  sized(choice: Choice, size: number): FileCalls {
    return size <= smallSize ? choice.bytes : this.#pooled.bytes;
  }

  /** Waits for the next turn where this one is spent; for loops of many direct calls. */
  breathe(): Promise<void> | undefined {
    return this.#turns.hasTime ? undefined : this.turn();
  }

  /** The next turn of the event loop. */
  turn(): Promise<void> {
    return this.#turns.next();
  }

  #timed(calls: DirectCalls): DirectCalls {
    const timed: Record<string, (...args: unknown[]) => unknown> = {};
    for (const [name, call] of Object.entries(calls) as [string, (...args: unknown[]) => unknown][]) {
      // No call has more arguments than these.
      timed[name] = (a, b, c, d, e) => {
        const start = this.#now();
        this.#callsSince++;
        try {
          return call(a, b, c, d, e);
        } finally {
          const end = this.#now();
          if (end - start > patience) this.#slow(end);
        }
      };
    }
    return timed as unknown as DirectCalls;
  }

  /** Retreats for longer than last time when it is slow again right after that, else briefly. */
  #slow(now: number): void {
    this.#retreat = this.#callsSince < quickAgain ? Math.min(this.#retreat * growth, longestRetreat) : firstRetreat;
    this.#poolUntil = now + this.#retreat;
    this.#callsSince = 0;
  }
}
