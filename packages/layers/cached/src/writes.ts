/** Writes that are under way, so that nothing is cached which they may make old. */
export class Writes {
  readonly #running = new Map<string, { count: number; alone: boolean }>();
  #clears = 0;
  /** Moves on whenever more than one key may have changed. */
  #epoch = 0;

  /** Counts everything that began before a clear or a wide invalidation. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether what is read of a key now may be old in a moment. */
  isUnsettled(key: string): boolean {
    return this.#clears > 0 || this.#running.has(key);
  }

  begin(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) this.#running.set(key, { count: 1, alone: true });
    else {
      running.count++;
      running.alone = false;
    }
  }

  /** Whether the write that ends was the only one of its key while it ran, so that its value is the one below. */
  end(key: string): boolean {
    const running = this.#running.get(key);
    if (running === undefined) return false;
    if (--running.count === 0) this.#running.delete(key);
    return running.alone && this.#clears === 0;
  }

  /** Whatever is being written under this key is not to be cached. */
  disturb(key: string): void {
    const running = this.#running.get(key);
    if (running !== undefined) running.alone = false;
  }

  disturbAll(): void {
    this.#epoch++;
    for (const running of this.#running.values()) running.alone = false;
  }

  beginClear(): void {
    this.#clears++;
    this.disturbAll();
  }

  endClear(): void {
    this.#clears--;
    this.disturbAll();
  }
}
