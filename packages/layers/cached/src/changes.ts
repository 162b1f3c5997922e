import type { Lifecycle } from "@stowage/core";
import { rejecting, StorageError, untilAborted } from "@stowage/core";
import type { BusLink } from "./bus-link.ts";
import type { Target } from "./bus.ts";
import type { Loads } from "./loads.ts";
import type { SecondLevel } from "./second-level.ts";
import type { Slots } from "./slots.ts";
import type { Writes } from "./writes.ts";

/** A write or a clear on its way. */
export interface Change<T> {
  readonly operation: string;
  readonly target: Target;
  readonly signal: AbortSignal | undefined;
  /** Sends it below. */
  readonly send: () => Promise<T>;
  /** Caches what was written; called only where that is what is below. */
  readonly keep?: ((result: T) => void) | undefined;
}

export interface ChangesOptions<V> {
  readonly slots: Slots<V>;
  readonly loads: Loads<V>;
  readonly writes: Writes;
  readonly store: SecondLevel<V> | undefined;
  readonly bus: BusLink | undefined;
  readonly lifecycle: Lifecycle;
}

/** What keeps the cache coherent: each change takes its keys out of all levels, before it is sent and after it has ended. */
export class Changes<V> {
  readonly #options: ChangesOptions<V>;

  constructor(options: ChangesOptions<V>) {
    this.#options = options;
  }

  /** Sends a change. Its keys are uncached while it runs, and what is loaded meanwhile is not kept. */
  send<T>(change: Change<T>): Promise<T> {
    const { writes, store, bus, lifecycle } = this.#options;
    const { operation, target, send, keep } = change;
    bus?.join();
    this.#drop(target);
    writes.begin(target);
    return lifecycle.run(operation, () =>
      store === undefined
        ? rejecting(send).then(
            (result) => {
              if (this.#end(target)) keep?.(result); // at once: another write may begin before the caller hears of this one
              return result;
            },
            (error: unknown) => {
              this.#end(target, { error });
              throw error;
            },
          )
        : this.#sendPast(store, change),
    );
  }

  /** Forgets what changed in a way that this cache cannot see, and tells the others. Rejects where the store could not forget. */
  async invalidate(target: Target): Promise<void> {
    const { bus } = this.#options;
    const forgotten = this.forget(target);
    bus?.tell(target);
    if (await forgotten) return;
    const message = "The store of the cache could not forget this; it is not asked for it until it could.";
    throw new StorageError("unavailable", message, { operation: "invalidate", storage: "cached" });
  }

  /** Forgets what others changed. Says whether the store could; memory always can. */
  forget(target: Target): Promise<boolean> {
    const { writes, store } = this.#options;
    writes.disturb(target);
    this.#drop(target);
    return store?.forget(target) ?? Promise.resolve(true);
  }

  /** As long as the store may hold the old value, a write is not sent, and one that was sent is not acknowledged. */
  async #sendPast<T>(store: SecondLevel<V>, { operation, target, signal, send, keep }: Change<T>): Promise<T> {
    const { writes } = this.#options;
    try {
      await untilAborted(store.vacate(target, operation), signal);
    } catch (error) {
      writes.end(target);
      throw error;
    }
    let result: T;
    try {
      result = await send();
    } catch (error) {
      void store.forget(target).then(() => this.#end(target, { error }));
      throw error;
    }
    const ended = store.forget(target).then(() => {
      // A caller who was told of an abort may be changing the value by now.
      if (this.#end(target) && signal?.aborted !== true) keep?.(result);
    });
    await untilAborted(ended, signal);
    return result;
  }

  /** Whether what was written may be cached. */
  #end(target: Target, failure?: { readonly error: unknown }): boolean {
    const { writes, bus } = this.#options;
    this.#drop(target);
    const alone = writes.end(target, failure);
    bus?.tell(target);
    return alone;
  }

  #drop(target: Target): void {
    const { slots, loads } = this.#options;
    if ("prefix" in target) {
      slots.deletePrefix(target.prefix);
      loads.dropPrefix(target.prefix);
      return;
    }
    for (const key of target.keys) {
      slots.delete(key);
      loads.drop(key);
    }
  }
}
