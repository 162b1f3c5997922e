import type { Clock } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Target } from "./bus.ts";
import { Doubts } from "./doubts.ts";

/** Writes that are under way, or that may still happen, so that nothing is cached which they make old. */
export class Writes {
  readonly #running = new Map<string, { count: number; alone: boolean }>();
  readonly #doubts: Doubts;
  #clears = 0;
  #epoch = 0;
  /** Writes and clears that are under way. */
  pending = 0;

  /** @param patience milliseconds after which a write whose outcome is unknown is taken to have happened or not */
  constructor(patience: number, clock: Clock) {
    this.#doubts = new Doubts(patience, clock);
  }

  /** Counts everything that began before a clear or a wide invalidation. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a write of this key is under way. */
  isWriting(key: string): boolean {
    return this.#clears > 0 || this.#running.has(key);
  }

  /** Whether what is read of a key now may be old in a moment. */
  isUnsettled(key: string): boolean {
    return this.isWriting(key) || this.#doubts.has(key);
  }

  begin(target: Target): void {
    this.pending++;
    if ("prefix" in target) {
      this.#clears++;
      this.disturb(target);
    } else for (const key of target.keys) this.#begin(key);
  }

  /**
   * @param failure what the write was rejected with
   * @returns whether it was the only one of its keys while it ran, so that its value is the one below
   */
  end(target: Target, failure?: { readonly error: unknown }): boolean {
    this.pending--;
    const doubtful = failure !== undefined && !(StorageError.is(failure.error) && failure.error.outcome === "none");
    if ("prefix" in target) {
      this.#clears--;
      this.disturb(target);
      if (doubtful) this.#doubts.addAll();
      return false;
    }
    let alone = this.#clears === 0;
    for (const key of target.keys) {
      alone = this.#end(key) && alone;
      if (doubtful) this.#doubts.add(key);
    }
    return alone;
  }

  /** What is being written or loaded under these keys is not to be cached. */
  disturb(target: Target): void {
    if ("keys" in target) {
      for (const key of target.keys) {
        const running = this.#running.get(key);
        if (running !== undefined) running.alone = false;
      }
    } else {
      this.#epoch++;
      for (const running of this.#running.values()) running.alone = false;
    }
  }

  #begin(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) this.#running.set(key, { count: 1, alone: !this.#doubts.has(key) });
    else {
      running.count++;
      running.alone = false;
    }
  }

  #end(key: string): boolean {
    const running = this.#running.get(key);
    if (running === undefined) return false;
    if (--running.count === 0) this.#running.delete(key);
    return running.alone;
  }
}
