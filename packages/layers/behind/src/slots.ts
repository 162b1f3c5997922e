import { compareKeys } from "@stowage/core";
import type { Write } from "./write.ts";

/** What is known of a key that has pending writes, or records in the journal. */
export class Slot {
  readonly key: string;
  /** The last write that was accepted. */
  newest: Write | undefined;
  /** Records that must go before that of `newest`: of writes that came before, or that failed and may be there all the same. */
  older: Set<Write> | undefined;
  /** Counts the writes that are on their way into the journal. */
  arriving = 0;
  /** The highest sequence that is below. */
  reached = 0;
  writing = false;
  removing = false;
  /** Attempts that failed since the last success. */
  failures = 0;
  /** Why the storage below refused `newest` for good. */
  dead: { readonly error: unknown } | undefined;
  isGone = false;
  #changed: PromiseWithResolvers<void> | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether `newest` is below. */
  get isBelow(): boolean {
    return this.newest === undefined || this.newest.sequence <= this.reached;
  }

  /** Settles with the next change of this slot. */
  get change(): Promise<void> {
    return (this.#changed ??= Promise.withResolvers<void>()).promise;
  }

  get hasOlder(): boolean {
    return this.older !== undefined && this.older.size > 0;
  }

  changed(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }
}

/** The slots by key, and in the order of keys once somebody has asked for that. */
export class Slots {
  readonly #slots = new Map<string, Slot>();
  #sorted: string[] | undefined;

  get(key: string): Slot | undefined {
    return this.#slots.get(key);
  }

  all(): IterableIterator<Slot> {
    return this.#slots.values();
  }

  make(key: string): Slot {
    let slot = this.#slots.get(key);
    if (slot !== undefined) return slot;
    slot = new Slot(key);
    this.#slots.set(key, slot);
    this.#sorted?.splice(this.#position(key), 0, key);
    return slot;
  }

  /** Forgets a slot about which there is nothing to know. */
  sweep(slot: Slot): void {
    if (slot.isGone || slot.newest !== undefined || slot.hasOlder || slot.arriving > 0) return;
    slot.isGone = true;
    this.#slots.delete(slot.key);
    this.#sorted?.splice(this.#position(slot.key), 1);
  }

  /** Those under a prefix whose keys come after `after`, in their order. They must not change meanwhile. */
  *under(prefix: string, after?: string): Generator<Slot, void, void> {
    const sorted = (this.#sorted ??= Array.from(this.#slots.keys()).sort(compareKeys));
    let at = this.#position(prefix);
    if (after !== undefined) at = Math.max(at, this.#position(after));
    for (; at < sorted.length; at++) {
      const key = sorted[at]!;
      if (!key.startsWith(prefix)) return;
      if (key !== after) yield this.#slots.get(key)!;
    }
  }

  /** Where a key is, or would be. */
  #position(key: string): number {
    const sorted = this.#sorted!;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(sorted[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
