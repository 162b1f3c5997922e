import type { Call } from "@stowage/core";
import { StorageError } from "@stowage/core";
import pRetry from "p-retry";
import type { Budget } from "./budget.ts";
import type { Settings } from "./options.ts";

/** What the repeats of all calls share. */
export interface Schedule {
  readonly settings: Settings;
  readonly budget: Budget;
  /** Aborted when the layer closes: nothing waits for another attempt then. */
  readonly closing: AbortSignal;
  readonly stats: { retries: number; budgetRefusals: number };
}

/** A call whose first attempt failed. */
export interface FailedCall<T> {
  readonly call: Call;
  readonly failure: unknown;
  /** When the last attempt must have ended, in milliseconds since the epoch; Infinity for streams. */
  readonly deadline: number;
  readonly send: () => Promise<T>;
}

/** Whether a failure of a call allows another attempt. */
export function mayRepeat(error: unknown, { repeatable, options }: Call): error is StorageError {
  return (
    StorageError.is(error) &&
    error.retryable &&
    options?.signal?.aborted !== true &&
    (repeatable === "always" || (repeatable === "without-effect" && !mayHaveHadEffect(error)))
  );
}

/** What is partial was done in part, also where the outcome of all that failed is known. */
const mayHaveHadEffect = (error: StorageError): boolean => error.outcome === "unknown" || error.code === "partial";

/** Sends a failed call again, as often and as long as the schedule allows. Rejects with the last failure as it is. */
export async function repeat<T>(failed: FailedCall<T>, schedule: Schedule): Promise<T> {
  const { call, send } = failed;
  const signal = call.options?.signal;
  let { failure } = failed;
  let hadEffect = false;
  const attempt = async (number: number): Promise<Settled<T>> => {
    try {
      if (number === 1) throw failure;
      return { value: await send() };
    } catch (error) {
      failure = error;
      if (!mayRepeat(error, call)) return { error };
      hadEffect ||= mayHaveHadEffect(error);
      throw error;
    }
  };
  const settled = await pRetry(attempt, {
    retries: schedule.settings.attempts - 1,
    minTimeout: 0, // the pause below takes the place of its timers, which know no other clock
    shouldRetry: ({ attemptNumber }) => pause(attemptNumber, failure, failed.deadline, schedule, signal),
    ...(signal && { signal }),
  }).catch((): Settled<T> => ({ error: signal?.aborted === true ? signal.reason : failure }));
  if ("value" in settled) return settled.value;
  throw hadEffect ? withUnknownOutcome(settled.error) : settled.error;
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** Waits before attempt `number + 1`. False where there must be none: no budget, no time, or the layer closes. */
export async function pause(
  number: number,
  failure: unknown,
  deadline: number,
  { settings, budget, closing, stats }: Schedule,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { clock, minDelay, maxDelay, random } = settings;
  const jitter = random() * Math.min(maxDelay, minDelay * 2 ** (number - 1));
  const delay = Math.max(jitter, (StorageError.is(failure) && failure.retryAfter) || 0);
  if (closing.aborted || clock.now() + delay >= deadline) return false;
  if (!budget.take()) {
    stats.budgetRefusals++;
    return false;
  }
  stats.retries++;
  await clock.sleep(delay, signal === undefined ? closing : AbortSignal.any([signal, closing])).catch(() => {});
  return !closing.aborted;
}

/** The failure of a call that may have taken effect by an earlier attempt. */
function withUnknownOutcome(error: unknown): unknown {
  if (!StorageError.is(error) || error.outcome === "unknown") return error;
  const { code, message, retryable, operation, key, storage, retryAfter, failures } = error;
  const options = { retryable, operation, key, storage, retryAfter, failures, outcome: "unknown", cause: error } as const;
  return new StorageError(code, `${message} An earlier attempt may have taken effect.`, options);
}
