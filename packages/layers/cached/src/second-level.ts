import type { Clock, Entry, PutOptions, Storage } from "@stowage/core";
import { forEachConcurrently, limited, rejecting, StorageError } from "@stowage/core";
import type { Target } from "./bus.ts";
import { Distrust } from "./distrust.ts";
import type { StoredEntry } from "./stored-entry.ts";
import { labelFor, readStored } from "./stored-entry.ts";

/** Fills that may run at once; what is loaded beyond them is kept in memory alone. */
const mostFills = 1_000;

/** How to put there what is below, so that nobody's newer entry is overwritten where the store can tell. */
export type Fill = Pick<PutOptions, "ifMatch" | "ifNoneMatch">;

/** What the second level says of a key. */
export interface Found<V> {
  /** Absent where the storage below is to be asked. */
  readonly stored?: StoredEntry<V>;
  /** Absent where a fill is not to be tried. */
  readonly fill?: Fill;
}

export interface SecondLevelOptions {
  readonly ttl: number;
  readonly storeTimeout: number;
  readonly loadTimeout: number;
  /** For waits. */
  readonly timer: Clock;
  /** For all that expires. */
  readonly clock: Clock;
}

/**
 * The level behind memory, in any other storage. Nothing old stays in it: what is put there is ordered before the removal
 * of the same key, a key is removed before its write is sent, and one that may be old there is not believed until it was
 * removed. What fails is counted, and answered by the storage below.
 */
export class SecondLevel<V> {
  readonly #store: Storage<V>;
  /** The same with more patience: to clear takes as long as there are entries. */
  readonly #clearing: Storage<V>;
  readonly #options: SecondLevelOptions;
  readonly #distrust: Distrust;
  /** By key; each settles without a rejection. */
  readonly #fills = new Map<string, Promise<void>>();
  readonly #removals = new Set<Promise<boolean>>();
  #clearUpFrom = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Loads that it answered. */
  hits = 0;
  /** Calls of the store that failed. */
  failures = 0;

  constructor(store: Storage<V>, options: SecondLevelOptions) {
    const { storeTimeout, loadTimeout, timer: clock } = options;
    this.#store = limited({ timeout: storeTimeout, clock })<Storage<V>>(store);
    this.#clearing = limited({ timeout: loadTimeout, clock })<Storage<V>>(store);
    this.#options = options;
    this.#distrust = new Distrust(loadTimeout, clock);
  }

  /** Never rejects. */
  async find(key: string, signal: AbortSignal): Promise<Found<V>> {
    this.#clearUp();
    if (this.#distrust.has(key)) return nothing;
    try {
      return this.#read(key, await this.#store.getEntry(key, { signal }));
    } catch (error) {
      return this.#failed(error, signal);
    }
  }

  /** Asks once for all. Never rejects. */
  async findAll(keys: readonly string[], signal: AbortSignal): Promise<readonly Found<V>[]> {
    this.#clearUp();
    const trusted = keys.filter((key) => !this.#distrust.has(key));
    if (trusted.length === 0) return keys.map(() => nothing);
    try {
      const stored = await this.#store.getEntries(trusted, { signal });
      const found = new Map(trusted.map((key, index) => [key, this.#read(key, stored[index])]));
      return keys.map((key) => found.get(key) ?? nothing);
    } catch (error) {
      const failed = this.#failed(error, signal);
      return keys.map(() => failed);
    }
  }

  /** Puts what was loaded there, unless something else is going on with its key. */
  fill(entry: Entry<V>, fill: Fill | undefined, loadedAt: number): void {
    const { key, value } = entry;
    if (fill === undefined || this.#isClosed || this.#fills.size >= mostFills || this.#fills.has(key) || this.#distrust.has(key)) return;
    const expiresAt = Math.min(loadedAt + this.#options.ttl, entry.expiresAt ?? Number.POSITIVE_INFINITY);
    if (expiresAt <= this.#options.clock.now()) return;
    const metadata = labelFor(entry, loadedAt);
    const options = { ...fill, metadata, ...(Number.isFinite(expiresAt) && { expiresAt }) };
    const filling = rejecting(() => this.#store.put(key, value, options)).then(
      () => {},
      (error: unknown) => {
        if (isHarmless(error)) return;
        this.failures++;
        if (!StorageError.is(error) || error.outcome === "unknown") this.#distrust.fear(key);
      },
    );
    this.#fills.set(
      key,
      filling.finally(() => this.#fills.delete(key)),
    );
  }

  /** Makes sure that the store has nothing under these keys before they are written. Rejects where it cannot. */
  async vacate(target: Target, operation: string): Promise<void> {
    await this.#filled(target);
    try {
      await this.#remove(target);
    } catch (error) {
      this.failures++;
      const message = "The store of the cache could not forget the old value, so nothing was written; its error is the cause.";
      const key = "keys" in target && target.keys.length === 1 ? target.keys[0] : undefined;
      throw new StorageError("unavailable", message, { operation, storage: "cached", key, cause: error });
    }
  }

  /** Distrusts these keys at once and until they are removed. Says whether that worked, and never rejects. */
  forget(target: Target): Promise<boolean> {
    const end = this.#distrust.removing(target);
    const removal: Promise<boolean> = this.#filled(target)
      .then(() => this.#remove(target))
      .then(
        () => true,
        () => {
          this.failures++;
          return false;
        },
      )
      .then((removed) => {
        end(removed);
        this.#removals.delete(removal);
        return removed;
      });
    this.#removals.add(removal);
    return removal;
  }

  /** Puts nothing there any more, waits for what is under way, and tries once more to remove what is distrusted: nobody will know of it later. */
  async drain(): Promise<void> {
    this.#isClosed = true;
    const settled = async (): Promise<void> => {
      while (this.#fills.size + this.#removals.size > 0) await Promise.all([...this.#fills.values(), ...this.#removals]);
    };
    await settled();
    this.#removeDue();
    await settled();
  }

  #read(key: string, stored: Entry<V> | undefined): Found<V> {
    const { conditions } = this.#store.capabilities;
    if (stored === undefined) return conditions.includes("create") ? missing : replaceable;
    const { clock, ttl } = this.#options;
    const now = clock.now();
    const read = readStored(key, stored);
    if (read === undefined) this.failures++;
    else {
      const { entry } = read;
      const loadedAt = Math.min(read.loadedAt, now); // that of a process whose clock is ahead
      if (now < Math.min(loadedAt + ttl, entry.expiresAt ?? Number.POSITIVE_INFINITY)) {
        this.hits++;
        return { stored: { entry, loadedAt } };
      }
    }
    const { etag } = stored;
    return etag !== undefined && conditions.includes("replace") ? { fill: { ifMatch: etag } } : replaceable;
  }

  /** What cannot be read for good may be replaced; a store that is down is left alone. */
  #failed(error: unknown, signal: AbortSignal): Found<V> {
    if (signal.aborted || isHarmless(error)) return nothing;
    this.failures++;
    return StorageError.is(error) && !error.retryable ? replaceable : nothing;
  }

  /** Removals that have failed are tried again with the next call, and not more often than an answer may take. */
  #clearUp(): void {
    if (this.#distrust.isEmpty) return;
    const { timer, storeTimeout } = this.#options;
    const now = timer.now();
    if (now < this.#clearUpFrom) return;
    this.#clearUpFrom = now + storeTimeout;
    this.#removeDue();
  }

  #removeDue(): void {
    for (const target of this.#distrust.due()) void this.forget(target);
  }

  /** Waits for the fills of these keys, so that what comes next in the store comes after them. */
  async #filled(target: Target): Promise<void> {
    if (this.#fills.size === 0) return;
    const fills =
      "keys" in target
        ? target.keys.flatMap((key) => this.#fills.get(key) ?? [])
        : [...this.#fills].filter(([key]) => key.startsWith(target.prefix)).map(([, fill]) => fill);
    await Promise.all(fills);
  }

  async #remove(target: Target): Promise<void> {
    if (!("keys" in target)) return await this.#clearing.clear({ prefix: target.prefix });
    const { keys } = target;
    if (keys.length > 1) {
      const removed = await this.#store.batch(keys.map((key) => ({ type: "delete", key }))).then(
        () => true,
        (error: unknown) => {
          // A key that the store cannot hold is not in it; the others are.
          if (StorageError.is(error, "invalid-key") || StorageError.is(error, "partial")) return false;
          throw error;
        },
      );
      if (removed) return;
    }
    await forEachConcurrently(keys, 16, async (key) => {
      await this.#store.delete(key).catch((error: unknown) => {
        if (!StorageError.is(error, "invalid-key")) throw error;
      });
    });
  }
}

const nothing = {} as const;
const missing = { fill: { ifNoneMatch: "*" } } as const;
const replaceable = { fill: {} } as const;

/** Somebody else was first, or the store cannot hold such a key: nothing is wrong. */
function isHarmless(error: unknown): boolean {
  return StorageError.is(error) && (error.code === "precondition-failed" || error.code === "conflict" || error.code === "invalid-key");
}
