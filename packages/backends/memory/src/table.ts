import type { Metadata } from "@stowage/core";
import { compareKeys } from "@stowage/core";
import { ExpiryQueue } from "./expiry-queue.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** What is kept for one key. */
export interface Slot<V> {
  value: V;
  /** Bytes that count against the limit. */
  size: number;
  version: number;
  modifiedAt: number;
  expiresAt: number | undefined;
  metadata: Metadata | undefined;
}

/** The entries, with their order and their expiry kept beside them. Every step is synchronous. */
export class Table<V> {
  readonly #slots = new Map<string, Slot<V>>();
  readonly #keys = new SortedKeys(
    () => this.#slots.keys(),
    (key) => this.#slots.has(key),
  );
  readonly #expiries = new ExpiryQueue();
  #size = 0;

  get count(): number {
    return this.#slots.size;
  }

  /** Bytes of all values. */
  get size(): number {
    return this.#size;
  }

  /** What is there, expired or not; changed by `set`. */
  get(key: string): Slot<V> | undefined {
    return this.#slots.get(key);
  }

  /**
   * Sets what is there under a key; `slot` is what `get` gives for it. A slot that is there is filled anew, because one
   * that lives as long as its entry costs the garbage collector nothing.
   */
  set(
    key: string,
    slot: Slot<V> | undefined,
    value: V,
    size: number,
    version: number,
    modifiedAt: number,
    expiresAt: number | undefined,
    metadata: Metadata | undefined,
  ): void {
    if (slot === undefined) {
      this.#size += size;
      this.#slots.set(key, { value, size, version, modifiedAt, expiresAt, metadata });
      this.#keys.add(key, this.#slots.size);
    } else {
      if (slot.expiresAt !== undefined) this.#expiries.remove(key);
      this.#size += size - slot.size;
      slot.value = value;
      slot.size = size;
      slot.version = version;
      slot.modifiedAt = modifiedAt;
      slot.expiresAt = expiresAt;
      slot.metadata = metadata;
    }
    if (expiresAt !== undefined) this.#expiries.add(key, expiresAt);
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    if (slot.expiresAt !== undefined) this.#expiries.remove(key);
    this.#size -= slot.size;
    this.#slots.delete(key);
    this.#keys.remove(key);
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

  /** The keys that begin with a prefix. */
  under(prefix: string): string[] {
    const keys: string[] = [];
    for (const key of this.from((other) => compareKeys(other, prefix) < 0)) {
      if (!key.startsWith(prefix)) break;
      keys.push(key);
    }
    return keys;
  }

  /** The keys in UTF-8 order from the first that is not before the start; nothing may change meanwhile. */
  from(isBefore: (key: string) => boolean): Generator<string, void, void> {
    return this.#keys.from(isBefore);
  }
}
