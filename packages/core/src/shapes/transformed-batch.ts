import { partial } from "../backend/base-storage.ts";
import type { BatchOptions, Bytes, Operation, PutOptions, Storage } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Failure } from "../contract/storage-error.ts";

interface BatchHooks {
  readonly name: string;
  encode(value: Uint8Array, key: string, options: PutOptions | undefined): Bytes | Promise<Bytes>;
  innerOptions(options: Omit<PutOptions, "signal"> | undefined): Omit<PutOptions, "signal"> | undefined;
}

/**
 * A batch with its values encoded. One that cannot be encoded is a failed operation like any other: the rest goes on,
 * unless the batch is atomic.
 */
export async function encodeBatch(
  below: Storage<Bytes>,
  operations: readonly Operation<Bytes>[],
  options: BatchOptions | undefined,
  hooks: BatchHooks,
): Promise<void> {
  const failures: Failure[] = [];
  const encode = async (operation: Operation<Bytes>, index: number): Promise<Operation<Bytes> | undefined> => {
    if (operation.type === "delete") return operation;
    const { key } = operation;
    try {
      const value = await hooks.encode(operation.value, key, operation.options);
      return { type: "put", key, value, options: hooks.innerOptions(operation.options) };
    } catch (error) {
      if (options?.atomic === true) throw error;
      failures.push({ index, key, error });
      return undefined;
    }
  };
  const encoded = await Promise.all(operations.map(encode));
  if (failures.length === 0) return await below.batch(encoded as Operation<Bytes>[], options);

  const indexes = [...encoded.keys()].filter((index) => encoded[index] !== undefined);
  try {
    await below.batch(
      encoded.filter((operation) => operation !== undefined),
      options,
    );
  } catch (error) {
    if (!StorageError.is(error, "partial")) throw error;
    for (const failure of error.failures ?? []) failures.push({ ...failure, index: indexes[failure.index] as number });
  }
  throw partial("batch", hooks.name, failures, operations.length);
}
