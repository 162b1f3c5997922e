import type { Metadata } from "@stowage/core";
import { ExpiryQueue } from "./expiry-queue.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** What is kept for one key. Replaced as a whole, never changed. */
export interface Slot<V> {
  readonly value: V;
  /** Bytes that count against the limit. */
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: number;
  readonly expiresAt: number | undefined;
  readonly metadata: Metadata | undefined;
}

/** The entries, with their order and their expiry kept beside them. Every step is synchronous. */
export class Table<V> {
  readonly #slots = new Map<string, Slot<V>>();
  readonly #keys = new SortedKeys((key) => this.#slots.has(key));
  readonly #expiries = new ExpiryQueue();
  #size = 0;

  get count(): number {
    return this.#slots.size;
  }

  /** Bytes of all values. */
  get size(): number {
    return this.#size;
  }

  /** What is there, expired or not. */
  get(key: string): Slot<V> | undefined {
    return this.#slots.get(key);
  }

  /** Puts a slot in the place of `previous`, which is what `get` gives for the key. */
  replace(key: string, previous: Slot<V> | undefined, slot: Slot<V>): void {
    if (previous === undefined) this.#keys.add(key);
    else this.#release(key, previous);
    this.#size += slot.size;
    if (slot.expiresAt !== undefined) this.#expiries.add(key, slot.expiresAt);
    this.#slots.set(key, slot);
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#release(key, slot);
    this.#slots.delete(key);
    this.#keys.remove(key, this.#slots.size);
  }

  /** Removes what expired by `now`, at most `limit` entries. */
  expire(now: number, limit: number = Number.POSITIVE_INFINITY): void {
    if (this.#expiries.next > now) return;
    for (let removed = 0; removed < limit; removed++) {
      const key = this.#expiries.due(now);
      if (key === undefined) return;
      this.delete(key);
    }
  }

  clear(): void {
    this.#slots.clear();
    this.#keys.clear();
    this.#expiries.clear();
    this.#size = 0;
  }

  /** The keys in UTF-8 order from the first that is not before the start; nothing may change meanwhile. */
  from(isBefore: (key: string) => boolean): Generator<string, void, void> {
    return this.#keys.from(isBefore);
  }

  #release(key: string, slot: Slot<V>): void {
    this.#size -= slot.size;
    if (slot.expiresAt !== undefined) this.#expiries.remove(key);
  }
}
