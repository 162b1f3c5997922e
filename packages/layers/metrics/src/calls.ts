import type { ErrorCode, OperationName } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { Histogram } from "./histogram.ts";

/**
 * How a call ended: `ok`; `missing`, it found nothing; `aborted`, by the signal of its caller, or because the caller let go
 * of the stream; `error`, anything else.
 */
export type Outcome = "ok" | "missing" | "aborted" | "error";

/** The code of an error; `_OTHER` for what is no `StorageError` of a known code. */
export type ErrorType = ErrorCode | "_OTHER";

/** The durations of the calls that ended in one way. */
export interface Ending {
  readonly outcome: Outcome;
  /** Where the outcome is `error`. */
  readonly error: ErrorType | undefined;
  readonly durations: Histogram;
}

/** What is known of the calls of one operation at one place. Every count is exact. */
export class Calls {
  readonly operation: OperationName;
  /** Bytes of values that were stored, where values are bytes; those of a streamed value as they pass. */
  bytesIn = 0;
  /** Bytes of values that were found, where values are bytes; those of a streamed value as they pass. */
  bytesOut = 0;
  readonly #endings = new Map<string, Ending>();
  #ok: Histogram | undefined;

  constructor(operation: OperationName) {
    this.operation = operation;
  }

  get endings(): Iterable<Ending> {
    return this.#endings.values();
  }

  /** The durations of the calls that succeeded, at hand because nearly all of them do. */
  get ok(): Histogram {
    return (this.#ok ??= this.durationsOf("ok"));
  }

  /** The durations of the calls that ended in this way. */
  durationsOf(outcome: Outcome, error?: ErrorType): Histogram {
    const name = error ?? outcome;
    let ending = this.#endings.get(name);
    if (ending === undefined) {
      ending = { outcome, error, durations: new Histogram() };
      this.#endings.set(name, ending);
    }
    return ending.durations;
  }

  /** The durations of the calls that failed with this; `signal` is that of the call. */
  durationsOfFailure(failure: unknown, signal: AbortSignal | undefined): Histogram {
    if (isAbort(failure, signal)) return this.durationsOf("aborted");
    return this.durationsOf("error", errorTypeOf(failure));
  }
}

/** Whether a call failed because its caller gave it up. */
export function isAbort(failure: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && failure === signal.reason;
}

/** What kind of failure it is, from a closed set: whatever somebody throws, no new series begins. */
export function errorTypeOf(failure: unknown): ErrorType {
  return StorageError.is(failure) && errorCodes.has(failure.code) ? failure.code : "_OTHER";
}

const codes: Readonly<Record<ErrorCode, true>> = {
  "invalid-key": true,
  "invalid-value": true,
  "invalid-option": true,
  "precondition-failed": true,
  conflict: true,
  corrupt: true,
  tampered: true,
  "wrong-key": true,
  "unknown-key": true,
  full: true,
  "too-large": true,
  denied: true,
  "read-only": true,
  timeout: true,
  throttled: true,
  unavailable: true,
  partial: true,
  closed: true,
  unsupported: true,
  config: true,
  internal: true,
};
const errorCodes: ReadonlySet<string> = new Set(Object.keys(codes));
