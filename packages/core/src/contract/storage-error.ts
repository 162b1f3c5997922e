/**
 * Why a call failed. Closed: branch on it.
 *
 * `precondition-failed` is settled; `conflict` is a race that may be retried. `corrupt` is damage, `tampered` is a failed
 * authentication. `full` means no room is left, `too-large` that this value is over a limit.
 */
export type ErrorCode =
  | "invalid-key"
  | "invalid-value"
  | "invalid-option"
  | "precondition-failed"
  | "conflict"
  | "corrupt"
  | "tampered"
  | "wrong-key"
  | "unknown-key"
  | "full"
  | "too-large"
  | "denied"
  | "read-only"
  | "timeout"
  | "throttled"
  | "unavailable"
  | "partial"
  | "closed"
  | "unsupported"
  | "config"
  | "internal";

/** One operation of a batch, one key of a bulk call, or one of several storages that a call went to, that failed. */
export interface Failure {
  /** Position in what was handed in, or among the storages. */
  readonly index: number;
  readonly key: string;
  readonly error: unknown;
}

export interface StorageErrorOptions {
  /** @default true for `conflict`, `timeout`, `throttled` and `unavailable` */
  readonly retryable?: boolean | undefined;
  /** `unknown`: the call may have taken effect. @default "none" */
  readonly outcome?: "none" | "unknown" | undefined;
  readonly operation?: string | undefined;
  readonly key?: string | undefined;
  readonly storage?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly failures?: readonly Failure[] | undefined;
  readonly cause?: unknown;
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set(["conflict", "timeout", "throttled", "unavailable"]);

/** The one error of the toolkit. The key stays out of `message`, so that logs can drop it. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: ErrorCode;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  /** `"unknown"` when the call may have taken effect. */
  readonly outcome: "none" | "unknown";
  /** The operation of the contract that failed: `"put"`. */
  readonly operation: string | undefined;
  /** The key as the raising storage saw it. */
  readonly key: string | undefined;
  /** The name of the raising storage. */
  readonly storage: string | undefined;
  /** Milliseconds to wait before another attempt, where the store said so. */
  readonly retryAfter: number | undefined;
  /** What failed inside a `partial` call. */
  readonly failures: readonly Failure[] | undefined;

  constructor(code: ErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? retryableCodes.has(code);
    this.outcome = options.outcome ?? "none";
    this.operation = options.operation;
    this.key = options.key;
    this.storage = options.storage;
    this.retryAfter = options.retryAfter;
    this.failures = options.failures;
  }

  /** Whether something is a `StorageError`, of this code if one is given; also of another copy of this package. */
  static is(error: unknown, code?: ErrorCode): error is StorageError {
    return (
      error instanceof Error &&
      error.name === "StorageError" &&
      "code" in error &&
      "retryable" in error &&
      (code === undefined || error.code === code)
    );
  }
}

/** Whether another changed the entry between a look and a write on its condition, so that the write had no effect: look again. */
export function isLostRace(error: unknown): error is StorageError {
  return (StorageError.is(error, "precondition-failed") || StorageError.is(error, "conflict")) && error.outcome === "none";
}
