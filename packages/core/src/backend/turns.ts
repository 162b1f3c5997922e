/** Milliseconds that one turn of the event loop may go on with direct calls. */
const patience = 1;

/**
 * Bounds what one turn of the event loop spends on calls that do their work at once, on the calling thread. Such calls in a
 * row, each in the promise of the one before, would otherwise starve timers and sockets.
 */
export class Turns {
  readonly #schedule: (run: () => void) => void;
  readonly #now: () => number;
  #start = 0;
  #next: Promise<void> | undefined;

  /**
   * @param schedule runs something in the next turn: `setImmediate`, where there is one
   * @param now milliseconds of a clock that only runs forward
   */
  constructor(schedule: (run: () => void) => void, now: () => number = () => performance.now()) {
    this.#schedule = schedule;
    this.#now = now;
  }

  /** Whether this turn has time left. The first to ask in a turn starts its time. */
  get hasTime(): boolean {
    if (this.#next !== undefined) return this.#now() - this.#start < patience;
    this.#start = this.#now();
    void this.next();
    return true;
  }

  /** The next turn. */
  next(): Promise<void> {
    return (this.#next ??= new Promise((resolve) => {
      this.#schedule(() => {
        this.#next = undefined;
        resolve();
      });
    }));
  }
}
