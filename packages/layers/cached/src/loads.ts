import type { Clock, Deadlines, Entry, Storage } from "@stowage/core";
import { rejecting } from "@stowage/core";
import { Load } from "./load.ts";
import type { Fill, Found, SecondLevel } from "./second-level.ts";
import type { Writes } from "./writes.ts";

export interface LoadsOptions<V> {
  readonly below: Storage<V>;
  readonly store: SecondLevel<V> | undefined;
  readonly writes: Writes;
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  /** The entry as all who wait for it may have it together. What it throws fails the load. */
  readonly own: (entry: Entry<V>) => Entry<V>;
  /** Caches an answer that the storage below gave at a time, and that nothing has made old since. What it throws fails the load. */
  readonly keep: (key: string, entry: Entry<V> | undefined, loadedAt: number) => void;
}

/** A load with what it is to know when it ends. */
interface Begun<V> {
  readonly load: Load<V>;
  readonly epoch: number;
  readonly found?: Found<V> | undefined;
}

/** The loads that are under way, one for each key. Each asks the store first, if there is one. */
export class Loads<V> {
  readonly #options: LoadsOptions<V>;
  readonly #loads = new Map<string, Load<V>>();
  /** Loads that were begun, ever. */
  count = 0;

  constructor(options: LoadsOptions<V>) {
    this.#options = options;
  }

  has(key: string): boolean {
    return this.#loads.has(key);
  }

  /** The load of a key that is under way, or else a new one. */
  load(key: string): Load<V> {
    const running = this.#loads.get(key);
    if (running !== undefined) return running;
    const { store, writes } = this.#options;
    const load = this.#begin(key);
    const epoch = this.#epochOf(key);
    if (store === undefined || writes.isWriting(key)) this.#ask(load, epoch);
    else void store.find(key, load.ended).then((found) => this.#takeFound(load, found, epoch) || this.#ask(load, epoch, found));
    return load;
  }

  /** One call below for many loads; it is ended when nobody waits for any of them. Nobody else joins that of a key that is being written. */
  loadAll(keys: readonly string[]): ReadonlyMap<string, Load<V>> {
    const loads = keys.map((key) => this.#begin(key));
    const { store } = this.#options;
    const begun = loads.map((load): Begun<V> => ({ load, epoch: this.#epochOf(load.key) }));
    if (store === undefined) this.#askAll(begun);
    else void this.#findAll(store, begun).then((missing) => missing.length > 0 && this.#askAll(missing));
    return new Map(loads.map((load) => [load.key, load]));
  }

  /** Nobody joins the load of this key any more, and what it finds is not kept. */
  drop(key: string): void {
    this.#loads.delete(key);
  }

  dropPrefix(prefix: string): void {
    for (const key of this.#loads.keys()) if (key.startsWith(prefix)) this.#loads.delete(key);
  }

  #begin(key: string): Load<V> {
    const { writes, deadlines } = this.#options;
    const load = new Load<V>(key, deadlines, (ended) => this.#leave(ended));
    if (!writes.isWriting(key)) this.#loads.set(key, load); // else what it finds may be old for whoever asks next
    this.count++;
    return load;
  }

  #ask(load: Load<V>, epoch: number, found?: Found<V>): void {
    rejecting(() => this.#options.below.getEntry(load.key, { signal: load.ended })).then(
      (entry) => this.#succeed(load, entry, epoch, this.#options.clock.now(), found?.fill),
      (error: unknown) => this.#fail(load, error),
    );
  }

  /** Ends the loads of what the store has, and gives the others. It is not asked for what is being written. */
  async #findAll(store: SecondLevel<V>, begun: readonly Begun<V>[]): Promise<readonly Begun<V>[]> {
    const settled = begun.map(({ load }) => load.key).filter((key) => !this.#options.writes.isWriting(key));
    const all = await store.findAll(settled, endedWith(begun));
    const found = new Map(settled.map((key, index) => [key, all[index]]));
    return begun
      .map((each): Begun<V> => ({ ...each, found: found.get(each.load.key) }))
      .filter((each) => each.found === undefined || !this.#takeFound(each.load, each.found, each.epoch));
  }

  #askAll(begun: readonly Begun<V>[]): void {
    const keys = begun.map(({ load }) => load.key);
    rejecting(() => this.#options.below.getEntries(keys, { signal: endedWith(begun) })).then(
      (entries) => {
        const now = this.#options.clock.now();
        begun.forEach(({ load, epoch, found }, index) => this.#succeed(load, entries[index], epoch, now, found?.fill));
      },
      (error: unknown) => begun.forEach(({ load }) => this.#fail(load, error)),
    );
  }

  /** What must still hold when a load has ended, so that what it found is kept; what equals nothing where it never is. */
  #epochOf(key: string): number {
    const { writes } = this.#options;
    return writes.isUnsettled(key) ? Number.NaN : writes.epoch;
  }

  /** Ends a load with what the store has; false where it has nothing. */
  #takeFound(load: Load<V>, { stored }: Found<V>, epoch: number): boolean {
    if (stored === undefined) return false;
    this.#succeed(load, stored.entry, epoch, stored.loadedAt, undefined);
    return true;
  }

  /** Keeps an answer in both levels, unless the load was dropped or something was written since it began; who waits gets it in any case. */
  #succeed(load: Load<V>, entry: Entry<V> | undefined, epoch: number, loadedAt: number, fill: Fill | undefined): void {
    const { store, writes, own, keep } = this.#options;
    const isCurrent = this.#leave(load) && epoch === writes.epoch && !writes.isUnsettled(load.key);
    try {
      const owned = entry && own(entry);
      if (isCurrent) keep(load.key, owned, loadedAt);
      if (isCurrent && owned !== undefined) store?.fill(owned, fill, loadedAt);
      load.succeed(owned);
    } catch (error) {
      load.fail(error);
    }
  }

  #fail(load: Load<V>, error: unknown): void {
    this.#leave(load);
    load.fail(error);
  }

  /** Whether the load was still the one that new callers join. */
  #leave(load: Load<V>): boolean {
    if (this.#loads.get(load.key) !== load) return false;
    return this.#loads.delete(load.key);
  }
}

/** A signal for one call, which ends when nobody waits for any of its loads. */
function endedWith<V>(begun: readonly Begun<V>[]): AbortSignal {
  const controller = new AbortController();
  let waitedFor = begun.length;
  const end = (): void => {
    if (--waitedFor === 0) controller.abort();
  };
  for (const { load } of begun) {
    if (load.ended.aborted) end();
    else load.ended.addEventListener("abort", end, { once: true });
  }
  return controller.signal;
}
