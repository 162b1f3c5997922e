/**
 * The keys that left a queue last, oldest forgotten first. A ring with an index, because a Map that is used as a queue
 * walks over all it has deleted.
 */
export class Ghosts {
  #ring: (string | undefined)[] = [];
  readonly #positions = new Map<string, number>();
  #next = 0;

  /** Remembers a key, and up to `limit` in all. */
  add(key: string, limit: number): void {
    if (this.#ring.length < limit) this.#grow(limit);
    if (this.#ring.length === 0) return;
    const forgotten = this.#ring[this.#next];
    if (forgotten !== undefined && this.#positions.get(forgotten) === this.#next) this.#positions.delete(forgotten);
    this.#ring[this.#next] = key;
    this.#positions.set(key, this.#next);
    this.#next = (this.#next + 1) % this.#ring.length;
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

  /** Doubles, so that growing costs nothing per key. What is there keeps its order. */
  #grow(limit: number): void {
    const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)].filter((key) => key !== undefined);
    this.#ring = Array.from({ length: Math.max(16, limit, 2 * this.#ring.length) }, (_, index) => ordered[index]);
    this.#positions.clear();
    for (let index = 0; index < ordered.length; index++) this.#positions.set(ordered[index] as string, index);
    this.#next = ordered.length % this.#ring.length;
  }
}
