import type { Failure } from "../contract/storage-error.ts";
import { StorageError } from "../contract/storage-error.ts";

/** The error of a bulk call some of whose parts failed; retryable when every failure is. */
export function partial(operation: string, storage: string, failures: readonly Failure[], total: number): StorageError {
  const sorted = failures.toSorted((a, b) => a.index - b.index);
  const errors = sorted.map(({ error }) => error);
  return new StorageError("partial", `${failures.length} of ${total} operations failed; see failures.`, {
    operation,
    storage,
    failures: sorted,
    retryable: errors.every((error) => StorageError.is(error) && error.retryable),
    outcome: errors.some((error) => StorageError.is(error) && error.outcome === "unknown") ? "unknown" : "none",
    cause: errors[0],
  });
}
