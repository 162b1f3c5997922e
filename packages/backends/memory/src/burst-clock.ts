import { systemClock } from "@stowage/core";

/** Readings, each within a millisecond of the one before, that make a burst. */
const burst = 32;

/** Questions of a burst that are answered by one reading. */
const shared = 16;

/**
 * The time of the machine for what happens in bursts. To read it costs half as much as to store a value, so within one
 * turn of the event loop, once 32 readings came close together, one reading answers 16 questions.
 */
export class BurstClock {
  readonly #read: () => number;
  readonly #atEndOfTurn: (work: () => void) => void;
  #time = 0;
  #close = 0;
  #left = 0;
  #inBurst = false;

  constructor(read: () => number = systemClock.now, atEndOfTurn: (work: () => void) => void = afterThisTurn) {
    this.#read = read;
    this.#atEndOfTurn = atEndOfTurn;
  }

  now(): number {
    if (this.#left === 0) return this.#readAgain();
    this.#left--;
    return this.#time;
  }

  #readAgain(): number {
    const time = this.#read();
    this.#close = time - this.#time <= 1 ? this.#close + 1 : 0;
    this.#time = time;
    if (this.#inBurst) {
      this.#left = shared - 1;
    } else if (this.#close >= burst) {
      this.#inBurst = true;
      this.#atEndOfTurn(this.#endBurst);
    }
    return time;
  }

  readonly #endBurst = (): void => {
    this.#inBurst = false;
    this.#left = 0;
    this.#close = 0;
  };
}

function afterThisTurn(work: () => void): void {
  const timer: unknown = setTimeout(work);
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") timer.unref();
}
