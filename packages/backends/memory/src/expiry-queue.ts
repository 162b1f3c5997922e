/**
 * Keys by the time at which they expire: a binary heap whose members know their position, so that a key that is
 * replaced or deleted leaves at once. Every step looks at O(log n) members, and no timer is involved.
 */
export class ExpiryQueue {
  readonly #heap: Expiry[] = [];
  readonly #byKey = new Map<string, Expiry>();
  #next: number = Number.POSITIVE_INFINITY;

  /** The earliest time at which something expires. */
  get next(): number {
    return this.#next;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Takes a key that is not in the queue. */
  add(key: string, at: number): void {
    const expiry: Expiry = { key, at, position: this.#heap.length };
    this.#byKey.set(key, expiry);
    this.#heap.push(expiry);
    this.#rise(expiry);
    this.#next = this.#heap[0]!.at;
  }

  /** Drops a key that is in the queue. */
  remove(key: string): void {
    const expiry = this.#byKey.get(key)!;
    this.#byKey.delete(key);
    const last = this.#heap.pop()!;
    if (last !== expiry) {
      this.#place(last, expiry.position);
      this.#rise(last);
      this.#sink(last);
    }
    this.#next = this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The key that expired first, if it did by `now`. */
  due(now: number): string | undefined {
    const first = this.#heap[0];
    return first !== undefined && first.at <= now ? first.key : undefined;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#byKey.clear();
    this.#next = Number.POSITIVE_INFINITY;
  }

  #place(expiry: Expiry, position: number): void {
    expiry.position = position;
    this.#heap[position] = expiry;
  }

  #rise(expiry: Expiry): void {
    while (expiry.position > 0) {
      const above = this.#heap[(expiry.position - 1) >> 1]!;
      if (above.at <= expiry.at) return;
      this.#swap(above, expiry);
    }
  }

  #sink(expiry: Expiry): void {
    for (;;) {
      const left = this.#heap[expiry.position * 2 + 1];
      const right = this.#heap[expiry.position * 2 + 2];
      const below = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (below === undefined || below.at >= expiry.at) return;
      this.#swap(expiry, below);
    }
  }

  #swap(a: Expiry, b: Expiry): void {
    const position = a.position;
    this.#place(a, b.position);
    this.#place(b, position);
  }
}

/** When one key expires, and where that stands in the heap. */
interface Expiry {
  readonly key: string;
  readonly at: number;
  position: number;
}
