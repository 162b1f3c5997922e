/**
 * The keys that left a queue last, oldest forgotten first. A ring with an index, because a Map that is used as a queue
 * walks over all it has deleted. The ring grows at its end, key by key, so that nothing in it ever moves.
 */
export class Ghosts {
  #ring: (string | undefined)[] = [];
  readonly #positions = new Map<string, number>();
  #next = 0;

  /** Remembers a key, and up to `limit` in all. */
  add(key: string, limit: number): void {
    if (this.#next >= Math.max(limit, this.#ring.length)) this.#next = 0;
    const forgotten = this.#ring[this.#next];
    if (forgotten !== undefined && this.#positions.get(forgotten) === this.#next) this.#positions.delete(forgotten);
    this.#ring[this.#next] = key;
    this.#positions.set(key, this.#next++);
  }

  /** Whether a key is remembered; it is forgotten by that. */
  take(key: string): boolean {
    const position = this.#positions.get(key);
    if (position === undefined) return false;
    this.#positions.delete(key);
    this.#ring[position] = undefined;
    return true;
  }

  clear(): void {
    this.#ring = [];
    this.#positions.clear();
    this.#next = 0;
  }
}
