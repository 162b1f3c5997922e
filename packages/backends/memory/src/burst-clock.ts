import type { Clock } from "@stowage/core";
import { systemClock } from "@stowage/core";

/** Readings, each within a millisecond of the one before, that make a burst. */
const burst = 32;

/** Questions of a burst that are answered by one reading. */
const shared = 64;

/**
 * The time of the machine for what happens in bursts. To read it costs half as much as to store a value, so within one
 * turn of the event loop, once 32 readings came close together, one reading answers 64 questions.
 */
export class BurstClock {
  readonly #clock: Clock;
  #time = 0;
  #close = 0;
  #left = 0;
  #inBurst = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  now(): number {
    if (this.#left === 0) return this.#readAgain();
    this.#left--;
    return this.#time;
  }

  #readAgain(): number {
    const time = this.#clock.now();
    this.#close = time - this.#time <= 1 ? this.#close + 1 : 0;
    this.#time = time;
    if (this.#inBurst) {
      this.#left = shared - 1;
    } else if (this.#close >= burst) {
      this.#inBurst = true;
      void this.#clock.sleep(0).then(this.#endBurst);
    }
    return time;
  }

  readonly #endBurst = (): void => {
    this.#inBurst = false;
    this.#left = 0;
    this.#close = 0;
  };
}
