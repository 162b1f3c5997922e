import type { Deadlines, Entry, Storage } from "@stowage/core";
import { rejecting } from "@stowage/core";
import { Load } from "./load.ts";
import type { Writes } from "./writes.ts";

/** The loads that are under way, one for each key. */
export class Loads<V> {
  readonly #below: Storage<V>;
  readonly #writes: Writes;
  readonly #deadlines: Deadlines;
  readonly #keep: (key: string, entry: Entry<V> | undefined) => void;
  readonly #loads = new Map<string, Load<V>>();
  /** Loads that were begun, ever. */
  count = 0;

  /** @param keep caches an answer that nothing has made old; what it throws fails the load */
  constructor(below: Storage<V>, writes: Writes, deadlines: Deadlines, keep: (key: string, entry: Entry<V> | undefined) => void) {
    this.#below = below;
    this.#writes = writes;
    this.#deadlines = deadlines;
    this.#keep = keep;
  }

  has(key: string): boolean {
    return this.#loads.has(key);
  }

  /** The load of a key that is under way, or else a new one. */
  load(key: string): Load<V> {
    const running = this.#loads.get(key);
    if (running !== undefined) return running;
    const load = this.#begin(key);
    const { epoch } = this.#writes;
    rejecting(() => this.#below.getEntry(key, { signal: load.ended })).then(
      (entry) => this.#succeed(load, entry, epoch),
      (error: unknown) => this.#fail(load, error),
    );
    return load;
  }

  /** One call below for many loads; it is ended when nobody waits for any of them. */
  loadAll(keys: readonly string[]): void {
    const loads = keys.map((key) => this.#begin(key));
    const { epoch } = this.#writes;
    const controller = new AbortController();
    let ended = 0;
    for (const load of loads) load.ended.addEventListener("abort", () => ++ended === loads.length && controller.abort(), { once: true });
    rejecting(() => this.#below.getEntries(keys, { signal: controller.signal })).then(
      (entries) => loads.forEach((load, index) => this.#succeed(load, entries[index], epoch)),
      (error: unknown) => loads.forEach((load) => this.#fail(load, error)),
    );
  }

  /** Nobody joins the load of this key any more, and what it finds is not kept. */
  drop(key: string): void {
    this.#loads.delete(key);
  }

  dropPrefix(prefix: string): void {
    for (const key of this.#loads.keys()) if (key.startsWith(prefix)) this.#loads.delete(key);
  }

  #begin(key: string): Load<V> {
    const load = new Load<V>(key, this.#deadlines, (ended) => this.#leave(ended));
    if (!this.#writes.isUnsettled(key)) this.#loads.set(key, load); // else what it finds may be old for whoever asks next
    this.count++;
    return load;
  }

  /** Keeps an answer, unless the load was dropped or something was written since it began. */
  #succeed(load: Load<V>, entry: Entry<V> | undefined, epoch: number): void {
    const { key } = load;
    if (this.#leave(load) && epoch === this.#writes.epoch && !this.#writes.isUnsettled(key)) {
      try {
        this.#keep(key, entry);
      } catch (error) {
        return load.fail(error);
      }
    }
    load.succeed(entry);
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
