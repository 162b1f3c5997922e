/** Where a storage gets its time from. Tests hand in a virtual one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `duration` milliseconds, or rejects at once with the signal's reason when it is aborted. */
  sleep(duration: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay that `setTimeout` keeps; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

/**
 * The time of the machine. Whoever sleeps keeps the process alive, as a call that waits for another attempt must; work
 * in the background gives its sleep a signal and aborts it on `close`.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (duration, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      let timer: ReturnType<typeof setTimeout>;
      let remaining = Math.max(duration, 0);
      // Counted down and not compared with the time of day, which may be set back while somebody sleeps.
      const arm = (): void => {
        const slice = Math.min(remaining, longestTimer);
        remaining -= slice;
        timer = setTimeout(() => (remaining > 0 ? arm() : finish()), slice);
      };
      const finish = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", abort, { once: true });
      arm();
    }),
};

/** The clock by which a storage expires its entries, where it shows one as `clock`; else the time of the machine. */
export function clockOf(storage: object): Clock {
  return "clock" in storage && isClock(storage.clock) ? storage.clock : systemClock;
}

/** Whether something can tell the time and wait. */
export function isClock(value: unknown): value is Clock {
  if (typeof value !== "object" || value === null || !("now" in value && "sleep" in value)) return false;
  return typeof value.now === "function" && typeof value.sleep === "function";
}
