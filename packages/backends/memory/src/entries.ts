import type { Clock, DeleteOptions, Entry, EntryInfo, Metadata, PutOptions } from "@stowage/core";
import { checkKey, isConditional, otherVersion, StorageError, systemClock, withExpiry } from "@stowage/core";
import { BurstClock } from "./burst-clock.ts";
import { Etags } from "./etags.ts";
import type { Slot } from "./table.ts";
import { Table } from "./table.ts";
import type { ValueKind } from "./value-kind.ts";

/** Where the entries live, and how many of them may. */
export interface EntriesOptions {
  readonly clock: Clock;
  readonly maxEntries?: number | undefined;
  readonly maxSize?: number | undefined;
}

/** Expired entries that go when a key comes: more than one, so that they cannot pile up. */
const sweepPerKey = 2;

/** What the contract means for entries in memory: versions, conditions, expiry, limits. Every step is synchronous. */
export class Entries<V> {
  readonly #storage: string;
  readonly #kind: ValueKind<V>;
  readonly #clock: Clock;
  /** For `modifiedAt` alone. A clock that was handed in is asked each time. */
  readonly #writeClock: Pick<Clock, "now">;
  readonly #maxEntries: number;
  readonly #maxSize: number;
  readonly #table = new Table<V>();
  readonly #etags = new Etags();

  constructor(storage: string, kind: ValueKind<V>, options: EntriesOptions) {
    this.#storage = storage;
    this.#kind = kind;
    this.#clock = options.clock;
    this.#writeClock = options.clock === systemClock ? new BurstClock() : options.clock;
    this.#maxEntries = options.maxEntries ?? Number.POSITIVE_INFINITY;
    this.#maxSize = options.maxSize ?? Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.#table.count;
  }

  /** Bytes of all values. */
  get size(): number {
    return this.#table.size;
  }

  /** The live slot of a key. A key that is there needs no check: it passed one when it came. */
  find(key: string, operation: string): Slot<V> | undefined {
    const slot = this.#live(key);
    if (slot === undefined) checkKey(key, operation, this.#storage);
    return slot;
  }

  /** Stores a value without options, in the memory of the one it replaces where that can be. The hot path. */
  put(key: string, value: V): EntryInfo {
    const modifiedAt = this.#writeClock.now();
    const slot = this.#live(key);
    if (slot === undefined) this.#welcome(key, "put", modifiedAt);
    const kept = this.#kind.keep(value, "put", key, slot?.value);
    const size = this.#kind.sizeOf(kept);
    const version = this.#etags.nextVersion();
    this.#makeRoom("put", key, slot, size ?? 0);
    this.#table.set(key, slot, kept, size ?? 0, version, modifiedAt, undefined, undefined);
    const etag = this.#etags.of(version);
    return size === undefined ? { key, etag, modifiedAt } : { key, size, etag, modifiedAt };
  }

  /** Stores a value that is kept already, under options that were checked. */
  store(operation: string, key: string, value: V, options: Omit<PutOptions, "signal"> = {}): EntryInfo {
    const now = this.#clock.now();
    const slot = this.#live(key);
    if (slot === undefined) this.#welcome(key, operation, now);
    if (isConditional(options)) this.checkConditions(operation, key, slot, options);
    const { expiresAt, metadata } = withExpiry(options, this.#clock);
    const next: Slot<V> = {
      value,
      size: this.#kind.sizeOf(value) ?? 0,
      version: this.#etags.nextVersion(),
      modifiedAt: now,
      expiresAt,
      metadata: copyMetadata(metadata),
    };
    if (expiresAt !== undefined && expiresAt <= now) this.#table.delete(key);
    else this.#replace(operation, key, slot, next);
    return this.infoOf(key, next);
  }

  remove(operation: string, key: string, options: Omit<DeleteOptions, "signal"> | undefined): void {
    const slot = this.find(key, operation);
    if (options?.ifMatch !== undefined) this.checkVersion(operation, key, slot, options.ifMatch);
    this.#table.delete(key);
  }

  /** Runs steps on some keys so that all of them take effect or none does. */
  allOrNone(keys: Iterable<string>, steps: () => void): void {
    const earlier = new Map<string, Slot<V> | undefined>();
    for (const key of keys) {
      const slot = this.#live(key);
      earlier.set(key, slot === undefined ? undefined : { ...slot });
    }
    try {
      steps();
    } catch (error) {
      for (const key of earlier.keys()) this.#table.delete(key);
      for (const [key, slot] of earlier) if (slot !== undefined) this.#replace("batch", key, undefined, slot);
      throw error;
    }
  }

  clear(prefix: string = ""): void {
    if (prefix === "") return this.#table.clear();
    for (const key of this.#table.under(prefix)) this.#table.delete(key);
  }

  /** The live keys in UTF-8 order from the first that is not before the start; nothing may change meanwhile. */
  keysFrom(isBefore: (key: string) => boolean): Generator<string, void, void> {
    this.#table.expire(this.#clock.now());
    return this.#table.from(isBefore);
  }

  infoOf(key: string, slot: Slot<V> = this.#table.get(key)!): EntryInfo {
    const { modifiedAt, expiresAt, metadata } = slot;
    const size = this.#kind.sizeOf(slot.value);
    return {
      key,
      ...(size !== undefined && { size }),
      etag: this.#etags.of(slot.version),
      modifiedAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(metadata !== undefined && { metadata }),
    };
  }

  entryOf(key: string, slot: Slot<V> | undefined): Entry<V> | undefined {
    return slot === undefined ? undefined : { ...this.infoOf(key, slot), value: this.#kind.give(slot.value) };
  }

  /** Refuses a put whose condition does not hold. */
  checkConditions(operation: string, key: string, slot: Slot<V> | undefined, { ifMatch, ifNoneMatch }: PutOptions): void {
    if (ifMatch !== undefined) this.checkVersion(operation, key, slot, ifMatch);
    if (ifNoneMatch === undefined || slot === undefined) return;
    throw new StorageError("precondition-failed", "There is an entry already.", { operation, storage: this.#storage, key });
  }

  /** Refuses what is not the version with this etag. */
  checkVersion(operation: string, key: string, slot: Slot<V> | undefined, etag: string): void {
    if (slot === undefined || this.#etags.of(slot.version) !== etag) throw otherVersion(operation, this.#storage, key);
  }

  /** Refuses a value of `size` bytes for which there is no room. */
  checkRoom(operation: string, key: string, size: number): void {
    this.#makeRoom(operation, key, this.#live(key), size);
  }

  #live(key: string): Slot<V> | undefined {
    const slot = this.#table.get(key);
    if (slot?.expiresAt === undefined || slot.expiresAt > this.#clock.now()) return slot;
    this.#table.delete(key);
    return undefined;
  }

  #welcome(key: string, operation: string, now: number): void {
    checkKey(key, operation, this.#storage);
    this.#table.expire(now, sweepPerKey);
  }

  #replace(operation: string, key: string, slot: Slot<V> | undefined, next: Slot<V>): void {
    this.#makeRoom(operation, key, slot, next.size);
    this.#table.set(key, slot, next.value, next.size, next.version, next.modifiedAt, next.expiresAt, next.metadata);
  }

  #makeRoom(operation: string, key: string, slot: Slot<V> | undefined, size: number): void {
    if (this.#hasRoom(slot, size)) return;
    this.#table.expire(this.#clock.now());
    if (this.#hasRoom(slot, size)) return;
    const message = "No room is left under maxEntries or maxSize; what was there is unchanged.";
    throw new StorageError("full", message, { operation, storage: this.#storage, key });
  }

  #hasRoom(slot: Slot<V> | undefined, size: number): boolean {
    if (slot === undefined && this.#table.count >= this.#maxEntries) return false;
    return this.#table.size - (slot?.size ?? 0) + size <= this.#maxSize;
  }
}

function copyMetadata(metadata: Metadata | undefined): Metadata | undefined {
  return metadata === undefined ? undefined : Object.freeze({ ...metadata });
}
