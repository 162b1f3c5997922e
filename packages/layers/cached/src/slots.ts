import type { Entry } from "@stowage/core";
import type { Cell, Eviction, Limits } from "./eviction/eviction.ts";

/**
 * One cached answer. Without an entry it says that nothing is there. A class, so that all fields lie in the object itself:
 * a hit reads the first three.
 */
export class Slot<V> implements Cell {
  /** The answer of `get` for everybody, where the value is shared. */
  readonly promise: Promise<V | undefined> | undefined;
  /** Milliseconds since the epoch until which it is served without asking; absent for ever, so that the clock is not read. */
  readonly freshUntil: number | undefined;
  frequency = 0;
  list = 0;
  previous: Cell | undefined = undefined;
  next: Cell | undefined = undefined;
  readonly key: string;
  readonly size: number;
  readonly entry: Entry<V> | undefined;

  constructor({ key, size, entry, promise, freshUntil }: Pick<Slot<V>, "key" | "size" | "entry" | "promise" | "freshUntil">) {
    this.promise = promise;
    this.freshUntil = freshUntil;
    this.key = key;
    this.size = size;
    this.entry = entry;
  }
}

/** An entry that went for want of room. */
export interface Evicted {
  readonly key: string;
  /** Bytes that it took, as `sizeOf` counts them. */
  readonly size: number;
}

/** What is cached, within its limits. */
export class Slots<V> {
  readonly #slots = new Map<string, Slot<V>>();
  readonly #eviction: Eviction<Slot<V>>;
  readonly #limits: Limits;
  readonly #listeners = new Set<{ readonly listener: (evicted: Evicted) => void }>();
  size = 0;
  evictions = 0;

  constructor(eviction: Eviction<Slot<V>>, limits: Limits) {
    this.#eviction = eviction;
    this.#limits = limits;
  }

  get count(): number {
    return this.#slots.size;
  }

  /** Does not count as a use. */
  find(key: string): Slot<V> | undefined {
    return this.#slots.get(key);
  }

  use(slot: Slot<V>): void {
    this.#eviction.touch(slot);
  }

  add(slot: Slot<V>): void {
    this.delete(slot.key);
    const { maxEntries, maxSize } = this.#limits;
    if (slot.size > maxSize) return;
    this.#slots.set(slot.key, slot);
    this.#eviction.add(slot);
    this.size += slot.size;
    while (this.#slots.size > maxEntries || this.size > maxSize) {
      const evicted = this.#eviction.evict();
      if (evicted === undefined) return;
      this.#forget(evicted);
      this.evictions++;
      if (this.#listeners.size > 0) this.#tell(evicted);
    }
  }

  /** Returns what ends the listening. */
  onEvict(listener: (evicted: Evicted) => void): () => void {
    const subscription = { listener };
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#eviction.remove(slot);
    this.#forget(slot);
  }

  deletePrefix(prefix: string): void {
    if (prefix === "") return this.clear();
    for (const key of this.#slots.keys()) if (key.startsWith(prefix)) this.delete(key);
  }

  clear(): void {
    this.#slots.clear();
    this.#eviction.clear();
    this.size = 0;
  }

  #tell({ key, size }: Slot<V>): void {
    for (const { listener } of this.#listeners) {
      // The entry is gone all the same, and the load or put that took its room knows nothing of listeners.
      try {
        const answer: unknown = listener({ key, size });
        if (answer !== undefined) Promise.resolve(answer).catch(() => {});
      } catch {}
    }
  }

  #forget(slot: Slot<V>): void {
    this.#slots.delete(slot.key);
    this.size -= slot.size;
  }
}
