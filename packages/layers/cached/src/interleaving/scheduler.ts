import type { Clock } from "@stowage/core";

interface Turn {
  readonly go: () => void;
  /** When it comes at the latest, in milliseconds since the epoch. */
  readonly until: number;
}

/** Decides which of all that waits goes on next: nothing goes on by itself. */
export class Scheduler {
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #turns: Turn[] = [];
  /** What happens after it has failed. */
  readonly #late: Turn[] = [];

  constructor(random: () => number, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#turns.length;
  }

  get late(): number {
    return this.#late.length;
  }

  /** Waits for its turn, at most for so many milliseconds. */
  turn(patience: number = Number.POSITIVE_INFINITY): Promise<void> {
    return this.#join(this.#turns, patience);
  }

  /** Waits for its turn among what is late. */
  lateTurn(patience: number): Promise<void> {
    return this.#join(this.#late, patience);
  }

  /** Lets one go on, and all that follows from it. */
  step(): Promise<void> {
    return this.#go(this.#turns, Math.floor(this.#random() * this.#turns.length));
  }

  lateStep(): Promise<void> {
    return this.#go(this.#late, Math.floor(this.#random() * this.#late.length));
  }

  /** Lets those go on that may not wait for so many milliseconds. */
  async hurry(duration: number): Promise<void> {
    const end = this.#clock.now() + duration;
    for (const turns of [this.#turns, this.#late]) {
      const next = (): number => turns.findIndex(({ until }) => until <= end);
      for (let index = next(); index !== -1; index = next()) await this.#go(turns, index);
    }
  }

  /** Nothing that waits ever goes on. */
  forgetAll(): void {
    this.#turns.length = 0;
    this.#late.length = 0;
  }

  #join(turns: Turn[], patience: number): Promise<void> {
    return new Promise((go) => turns.push({ go, until: this.#clock.now() + patience }));
  }

  async #go(turns: Turn[], index: number): Promise<void> {
    turns.splice(index, 1)[0]?.go();
    await settled();
  }
}

/** Resolves when all has run that waits for nothing. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
