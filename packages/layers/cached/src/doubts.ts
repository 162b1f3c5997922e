import type { Clock } from "@stowage/core";

/** Keys whose last write may still happen although it has failed, for as long as that is to be feared. */
export class Doubts {
  readonly #duration: number;
  readonly #clock: Clock;
  /** When each ends; the oldest first. */
  readonly #ends = new Map<string, number>();
  #endOfAll = Number.NEGATIVE_INFINITY;

  /** @param duration milliseconds */
  constructor(duration: number, clock: Clock) {
    this.#duration = duration;
    this.#clock = clock;
  }

  has(key: string): boolean {
    if (this.#ends.size === 0 && this.#endOfAll === Number.NEGATIVE_INFINITY) return false;
    const now = this.#clock.now();
    return now < this.#endOfAll || now < (this.#ends.get(key) ?? Number.NEGATIVE_INFINITY);
  }

  add(key: string): void {
    const now = this.#clock.now();
    for (const [old, end] of this.#ends) {
      if (now < end) break;
      this.#ends.delete(old);
    }
    this.#ends.delete(key);
    this.#ends.set(key, now + this.#duration);
  }

  addAll(): void {
    this.#endOfAll = this.#clock.now() + this.#duration;
  }
}
