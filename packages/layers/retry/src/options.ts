import type { Clock } from "@stowage/core";
import { checkOptions, StorageError, systemClock } from "@stowage/core";

export interface RetryOptions {
  /** How often a call is sent at the most, the first time included. @default 4 */
  readonly attempts?: number | undefined;
  /** Milliseconds that one attempt may take; for streams, milliseconds without progress. @default 10_000 */
  readonly attemptTimeout?: number | undefined;
  /** Milliseconds that a call may take with all its attempts. Streams have no such limit. @default 30_000 */
  readonly totalTimeout?: number | undefined;
  /** Milliseconds that the wait before the second attempt takes at the most; it doubles from there. @default 100 */
  readonly minDelay?: number | undefined;
  /** Milliseconds that any wait takes at the most, unless the store asked for more. @default 5_000 */
  readonly maxDelay?: number | undefined;
  /** How many repeats there may be in ten seconds, as a share of the calls; ten are always allowed. @default 0.1 */
  readonly budget?: number | undefined;
  /** A number from 0 up to 1 for the jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default for waits and limits the clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

export type Settings = { readonly [Name in keyof RetryOptions]-?: NonNullable<RetryOptions[Name]> };

/** Options with their defaults, checked. */
export function settle(options: RetryOptions): Settings {
  checkOptions({}, options, "retry", ["attempts", "attemptTimeout", "totalTimeout", "minDelay", "maxDelay", "budget", "random"]);
  const settings: Settings = {
    attempts: options.attempts ?? 4,
    attemptTimeout: options.attemptTimeout ?? 10_000,
    totalTimeout: options.totalTimeout ?? 30_000,
    minDelay: options.minDelay ?? 100,
    maxDelay: options.maxDelay ?? 5_000,
    budget: options.budget ?? 0.1,
    random: options.random ?? Math.random,
    clock: options.clock ?? systemClock,
  };
  const { attempts, attemptTimeout, totalTimeout, minDelay, maxDelay, budget } = settings;
  check(Number.isInteger(attempts) && attempts >= 1, "attempts", "a whole number of at least 1");
  check(isDuration(attemptTimeout) && attemptTimeout > 0, "attemptTimeout", "milliseconds above 0");
  check(isDuration(totalTimeout) && totalTimeout > 0, "totalTimeout", "milliseconds above 0");
  check(isDuration(minDelay), "minDelay", "milliseconds from 0");
  check(isDuration(maxDelay) && maxDelay >= minDelay, "maxDelay", "milliseconds, at least minDelay");
  check(typeof budget === "number" && budget >= 0 && budget <= 1, "budget", "a share from 0 to 1");
  return settings;
}

const isDuration = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value >= 0;

function check(holds: boolean, name: keyof RetryOptions, expected: string): void {
  if (holds) return;
  throw new StorageError("invalid-option", `retry: ${name} must be ${expected}.`, { storage: "retry" });
}
