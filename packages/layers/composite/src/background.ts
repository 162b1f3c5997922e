/** Work that goes on after the call that began it: `flush` and `close` wait for it. Never more than so much at once. */
export class Background {
  readonly #limit: number;
  readonly #running = new Set<Promise<unknown>>();
  readonly #control = new AbortController();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for what was begun anyway. */
  follow(work: Promise<unknown>): void {
    const followed: Promise<unknown> = work.catch(() => {}).then(() => this.#running.delete(followed));
    this.#running.add(followed);
  }

  /** Begins what can be left out. False where too much is going on. */
  tryBegin(work: (signal: AbortSignal) => Promise<unknown>): boolean {
    if (this.#running.size >= this.#limit) return false;
    this.follow(work(this.#control.signal));
    return true;
  }

  /** Ends what could have been left out. */
  end(): void {
    this.#control.abort();
  }

  /** Waits for what goes on now, not for what is begun meanwhile. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
