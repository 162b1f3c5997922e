import type { Clock, Entry, EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Settings } from "./options.ts";
import type { Slots } from "./slots.ts";
import { Slot } from "./slots.ts";
import type { Ownership } from "./values.ts";
import { roughSize } from "./values.ts";

/** The first level: how answers become slots, and slots become answers. */
export class MemoryLevel<V> {
  readonly #slots: Slots<V>;
  readonly #settings: Settings;
  readonly #ownership: Ownership;
  readonly #clock: Clock;

  constructor(slots: Slots<V>, settings: Settings, ownership: Ownership, clock: Clock) {
    this.#slots = slots;
    this.#settings = settings;
    this.#ownership = ownership;
    this.#clock = clock;
  }

  isFresh({ freshUntil }: Slot<V>): boolean {
    return freshUntil === undefined || this.#clock.now() < freshUntil;
  }

  /** What was loaded, as many may have it, whether it is kept or not. */
  owned(entry: Entry<V>): Entry<V> {
    return { ...entry, value: this.#ownership.keep(entry.value) as V };
  }

  /** Keeps what was loaded and is owned, or that nothing is there. `sizeOf` is the caller's, and may throw. */
  keepLoaded(key: string, entry: Entry<V> | undefined, loadedAt: number): void {
    if (entry !== undefined) this.#keep(entry, loadedAt);
    else if (this.#settings.missingTtl > 0) this.#keepMissing(key);
    else this.#slots.delete(key);
  }

  /** Never throws, because the put has succeeded: what cannot be kept is loaded by the next read, which tells why. */
  keepOfCaller(info: EntryInfo, value: V): void {
    try {
      const kept = this.#ownership.keepOfCaller(value);
      if (kept !== undefined) this.#keep({ ...info, value: kept.value as V }, this.#clock.now());
    } catch {
      this.#slots.delete(info.key);
    }
  }

  /** The answer of `get` for one caller, where it is not shared. */
  copyOf({ entry }: Slot<V>): Promise<V | undefined> {
    try {
      return Promise.resolve(this.valueOf(entry));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The value for one caller. */
  valueOf(entry: Entry<V> | undefined): V | undefined {
    if (entry === undefined || this.#ownership.isShared(entry.value)) return entry?.value;
    return this.#ownership.copy(entry.value) as V;
  }

  /** The entry for one caller. */
  entryOf(entry: Entry<V> | undefined): Entry<V> | undefined {
    return entry && { ...infoOf(entry), value: this.valueOf(entry) as V };
  }

  #keep(entry: Entry<V>, loadedAt: number): void {
    const { ttl } = this.#settings;
    const end = Math.min(loadedAt + ttl, entry.expiresAt ?? Number.POSITIVE_INFINITY);
    if (end <= this.#clock.now()) return this.#slots.delete(entry.key);
    const freshUntil = end === Number.POSITIVE_INFINITY ? undefined : end;
    const promise = this.#ownership.isShared(entry.value) ? Promise.resolve(entry.value) : undefined;
    this.#slots.add(new Slot({ key: entry.key, size: this.#sizeOf(entry.value), entry, promise, freshUntil }));
  }

  /** What is no size would end the bound of all others, because sizes are added up. */
  #sizeOf(value: V): number {
    const { sizeOf = roughSize } = this.#settings;
    const size = sizeOf(value);
    if (typeof size === "number" && size >= 0) return size;
    throw new StorageError("invalid-option", "cached: sizeOf must give a number of bytes, 0 or more.", { storage: "cached" });
  }

  #keepMissing(key: string): void {
    const freshUntil = this.#clock.now() + this.#settings.missingTtl;
    this.#slots.add(new Slot<V>({ key, size: 2 * key.length, entry: undefined, promise: Promise.resolve(undefined), freshUntil }));
  }
}

/** What is known of an entry, without its value, in an object of its own. */
export function infoOf<V>({ value: _value, ...info }: Entry<V>): EntryInfo {
  return info.metadata === undefined ? info : { ...info, metadata: { ...info.metadata } };
}
