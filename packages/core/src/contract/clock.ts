/** Where a storage gets its time from. Tests hand in a virtual one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `duration` milliseconds, or rejects at once with the signal's reason when it is aborted. */
  sleep(duration: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay that `setTimeout` keeps; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

/** The time of the machine. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (duration, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const deadline = Date.now() + duration;
      let timer: ReturnType<typeof setTimeout>;
      const arm = (): void => {
        timer = setTimeout(() => (Date.now() >= deadline ? finish() : arm()), Math.min(Math.max(deadline - Date.now(), 0), longestTimer));
        if (typeof timer === "object") timer.unref();
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
