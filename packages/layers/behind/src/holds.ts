import { untilAborted } from "@stowage/core";
import type { Slot, Slots } from "./slots.ts";

/** All keys under a prefix, or one key. */
export interface Held {
  readonly prefix: string;
  readonly exact: boolean;
}

interface Hold extends Held {
  readonly ended: Promise<void>;
}

/** Keys that belong to one call for a while: no write of them is accepted or goes below meanwhile. */
export class Holds {
  readonly #slots: Slots;
  readonly #holds = new Set<Hold>();

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  has(key: string): boolean {
    for (const hold of this.#holds) if (covers(hold, key)) return true;
    return false;
  }

  /** Waits until nobody holds a key. */
  async free(key: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#overlapping({ prefix: key, exact: true }, signal);
  }

  /** Holds keys while `work` runs, which begins when nothing is under way with them. */
  async during<T>(where: Held, signal: AbortSignal | undefined, work: (slots: () => readonly Slot[]) => Promise<T>): Promise<T> {
    await this.#overlapping(where, signal);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const hold = { ...where, ended };
    this.#holds.add(hold);
    const slots = (): readonly Slot[] => this.covered(where);
    try {
      for (const slot of slots()) while (isBusy(slot)) await untilAborted(slot.change, signal);
      signal?.throwIfAborted();
      return await work(slots);
    } finally {
      this.#holds.delete(hold);
      end();
    }
  }

  /** What is known of the keys. */
  covered({ prefix, exact }: Held): readonly Slot[] {
    if (!exact) return Array.from(this.#slots.under(prefix));
    const slot = this.#slots.get(prefix);
    return slot === undefined ? [] : [slot];
  }

  async #overlapping(where: Held, signal: AbortSignal | undefined): Promise<void> {
    const find = (): Hold | undefined => {
      for (const hold of this.#holds) if (covers(hold, where.prefix) || covers(where, hold.prefix)) return hold;
      return undefined;
    };
    for (let hold = find(); hold !== undefined; hold = find()) await untilAborted(hold.ended, signal);
  }
}

const covers = ({ prefix, exact }: Held, key: string): boolean => (exact ? key === prefix : key.startsWith(prefix));

const isBusy = ({ isGone, arriving, writing, removing }: Slot): boolean => !isGone && (arriving > 0 || writing || removing);
