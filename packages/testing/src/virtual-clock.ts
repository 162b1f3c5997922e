import type { Clock } from "@stowage/core";

/** Where a virtual clock starts unless told otherwise: a fixed moment, so that tests repeat. */
export const virtualEpoch: number = Date.UTC(2026, 0, 1);

/** Sleepers that one `runUntilIdle` wakes at the most, unless told otherwise. */
const wakeLimit = 100_000;

/**
 * A clock that stands still until a test moves it.
 *
 * ```ts
 * const clock = new VirtualClock();
 * const sessions = memoryStorage<string>({ values: "any", clock });
 * await sessions.put("ada", "token", { ttl: 60_000 });
 * await clock.advance(60_000);
 * await sessions.get("ada"); // undefined
 * ```
 */
export class VirtualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  /** Milliseconds that were advanced. What sleepers go by; a jump does not change it. */
  #elapsed = 0;
  #offset: number;

  /** @param start milliseconds since the epoch */
  constructor(start: number = virtualEpoch) {
    this.#offset = start;
  }

  now(): number {
    return this.#offset + this.#elapsed;
  }

  /** How many sleep now: 0 when nothing was left behind. */
  get pending(): number {
    return this.#sleepers.size;
  }

  /** Wakes when the clock was moved by `duration`. A duration of 0 or less needs no move; `Infinity` only ends by the signal. */
  sleep(duration: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (Number.isNaN(duration)) return reject(new RangeError("sleep takes a number of milliseconds, got NaN."));
      if (duration <= 0) return resolve();
      const forget = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        forget();
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        forget();
        resolve();
      };
      const sleeper: Sleeper = { due: this.#elapsed + duration, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Moves the clock by `duration`. Who is due wakes in order of time, each at its own time, and what it starts runs
   * before the next one wakes: sleeps that are chained inside the duration end inside it.
   */
  async advance(duration: number): Promise<void> {
    if (!(duration >= 0) || duration === Infinity) throw new RangeError(`advance takes milliseconds of 0 or more, got ${duration}.`);
    const end = this.#elapsed + duration;
    await settle();
    for (let sleeper = this.#first(); sleeper !== undefined && sleeper.due <= end; sleeper = this.#first()) {
      this.#wake(sleeper);
      await settle();
    }
    this.#elapsed = Math.max(this.#elapsed, end);
  }

  /** Moves the clock to the next sleeper and wakes it. False where none sleeps. */
  async next(): Promise<boolean> {
    await settle();
    const sleeper = this.#first();
    if (sleeper === undefined || sleeper.due === Infinity) return false;
    this.#wake(sleeper);
    await settle();
    return true;
  }

  /** Moves the clock until nobody sleeps. Throws after `limit` sleepers, as for a loop that never ends. */
  async runUntilIdle(limit: number = wakeLimit): Promise<void> {
    for (let woken = 0; await this.next(); woken++) {
      if (woken === limit)
        throw new Error(`Somebody still sleeps after ${limit} sleeps; a loop that runs for ever needs advance() instead.`);
    }
  }

  /** Sets the time of day forward or back, as an operator may. Nobody wakes, and nobody sleeps longer. */
  jump(duration: number): void {
    this.#offset += duration;
  }

  /** The first to wake; of several that are due at once, the one that fell asleep first. */
  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (first === undefined || sleeper.due < first.due) first = sleeper;
    }
    return first;
  }

  #wake(sleeper: Sleeper): void {
    this.#elapsed = Math.max(this.#elapsed, sleeper.due);
    sleeper.wake();
  }
}

interface Sleeper {
  readonly due: number;
  wake(): void;
}

/** Kept from before any test replaces the timers. */
const { setImmediate: immediately, setTimeout: later } = globalThis;

/** Resolves when all that can run without the clock has run: a turn of the event loop, and all microtasks before it. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof immediately === "function") immediately(resolve);
    else later(resolve, 0);
  });
}
