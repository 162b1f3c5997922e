import type { EntryInfo } from "@stowage/core";

/** One change of a storage, as `watch` gives it. */
export type Change =
  | {
      readonly type: "put";
      readonly key: string;
      readonly prefix?: undefined;
      /** What the storage said of the entry; `undefined` inside a batch, which does not say. */
      readonly info: EntryInfo | undefined;
    }
  | { readonly type: "delete"; readonly key: string; readonly prefix?: undefined }
  | {
      readonly type: "clear";
      readonly key?: undefined;
      /** Empty for everything. */
      readonly prefix: string;
    }
  /** A write failed in a way that does not say whether it took effect: read the key again, or what is under the prefix. */
  | { readonly type: "unsure"; readonly key: string; readonly prefix?: undefined }
  | { readonly type: "unsure"; readonly key?: undefined; readonly prefix: string }
  /** The reader was too slow, and this many changes are missing here: read everything again. */
  | { readonly type: "overflow"; readonly missed: number; readonly key?: undefined; readonly prefix?: undefined };

/** A change that has happened, so all but the mark of a gap. */
export type MadeChange = Exclude<Change, { readonly type: "overflow" }>;

/**
 * Changes that nobody has taken yet, a bounded number. When it is full, what comes is counted and dropped until all that
 * is kept was taken; the mark with the count stands where the gap is.
 */
export class ChangeBuffer {
  readonly #capacity: number;
  #kept: MadeChange[] = [];
  /** The next one to be taken. */
  #position = 0;
  #missed = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#kept.length - this.#position;
  }

  /** False where it was dropped. */
  add(change: MadeChange): boolean {
    if (this.#missed === 0 && this.length < this.#capacity) {
      this.#kept.push(change);
      return true;
    }
    this.#missed++;
    return false;
  }

  take(): Change | undefined {
    const change = this.#kept[this.#position];
    if (change !== undefined) {
      this.#position++;
      // Moved together now and then, so that a take costs the same however many are kept.
      if (this.#position * 2 >= this.#kept.length) {
        this.#kept = this.#kept.slice(this.#position);
        this.#position = 0;
      }
      return change;
    }
    if (this.#missed === 0) return undefined;
    const missed = this.#missed;
    this.#missed = 0;
    return { type: "overflow", missed };
  }

  clear(): void {
    this.#kept = [];
    this.#position = 0;
    this.#missed = 0;
  }
}
