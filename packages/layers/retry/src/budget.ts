import type { Clock } from "@stowage/core";

/** Repeats that are always allowed within a window. */
const floor = 10;
/** Milliseconds of a window. */
const window = 10_000;

/**
 * Keeps repeats from multiplying the load of a store that is down: in ten seconds at most ten, or a share of the calls
 * where that is more. A window begins with the first repeat after the last one ended.
 */
export class Budget {
  readonly #share: number;
  readonly #clock: Clock;
  #startedAt = -Infinity;
  #calls = 0;
  #repeats = 0;

  constructor(share: number, clock: Clock) {
    this.#share = share;
    this.#clock = clock;
  }

  countCall(): void {
    this.#calls++;
  }

  /** Takes one repeat, where one is left. */
  take(): boolean {
    const now = this.#clock.now();
    if (now - this.#startedAt >= window) {
      this.#startedAt = now;
      this.#calls = 0;
      this.#repeats = 0;
    }
    if (this.#repeats >= Math.max(floor, this.#share * this.#calls)) return false;
    this.#repeats++;
    return true;
  }
}
