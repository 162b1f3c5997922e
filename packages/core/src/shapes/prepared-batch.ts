import { partial } from "../backend/partial.ts";
import type { BatchOptions, Operation } from "../contract/contract.ts";
import { checkOperations } from "../contract/options.ts";
import type { Failure } from "../contract/storage-error.ts";
import { StorageError } from "../contract/storage-error.ts";

/**
 * A batch whose operations are changed on their way down. One that `prepare` refuses is a failed operation like any
 * other: the rest is sent, and all failures are told under their position in what was handed in. Where the batch is
 * atomic, nothing is sent then.
 */
export async function preparedBatch<V, I>(
  name: string,
  operations: readonly Operation<V>[],
  options: BatchOptions | undefined,
  prepare: (operation: Operation<V>) => Operation<I> | Promise<Operation<I>>,
  send: (prepared: readonly Operation<I>[]) => Promise<void>,
): Promise<void> {
  checkOperations(operations, { name });
  const refused: Failure[] = [];
  const positions: number[] = [];
  const prepared: Operation<I>[] = [];
  for (const [index, operation] of operations.entries()) {
    try {
      const step = prepare(operation);
      prepared.push(step instanceof Promise ? await step : step);
      positions.push(index);
    } catch (error) {
      options?.signal?.throwIfAborted();
      if (options?.atomic === true) throw error;
      refused.push({ index, key: operation.key, error });
    }
  }
  if (refused.length === 0) return await send(prepared);
  const failed = await send(prepared).then(() => [], failuresOf);
  throw partial(
    "batch",
    name,
    [...refused, ...failed.map(({ index, error }) => failureAt(positions[index] ?? index, error, operations))],
    operations.length,
  );
}

/** A failure under the position and the key that the operation had when it was handed in. */
function failureAt(index: number, error: unknown, operations: readonly Operation<unknown>[]): Failure {
  return { index, key: operations[index]?.key ?? "", error };
}

/** What failed in a batch below; any other error than `partial` is about the whole batch. */
function failuresOf(error: unknown): readonly Failure[] {
  if (StorageError.is(error, "partial")) return error.failures ?? [];
  throw error;
}
