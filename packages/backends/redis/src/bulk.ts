import type { Bytes, Failure, Operation } from "@stowage/core";
import { checkBytes, checkKey, forEachConcurrently, partial } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { Writer } from "./writer.ts";

/** Calls of a bulk call that are under way at once: as many as share one trip to the server. */
const callsAtOnce = 256;

/** Operations on different keys run at once, those on one key in their order; each of them succeeds or fails by itself. */
export async function batchEach(writer: Writer, operations: readonly Operation<Bytes>[], signal: AbortSignal | undefined): Promise<void> {
  const byKey = Map.groupBy(operations.entries(), ([, operation]) => operation.key);
  const failures: Failure[] = [];
  await forEachConcurrently(byKey.values(), callsAtOnce, async (steps) => {
    for (const [index, operation] of steps) {
      signal?.throwIfAborted();
      try {
        await apply(writer, operation, signal);
      } catch (error) {
        failures.push({ index, key: operation.key, error });
      }
    }
  });
  if (failures.length > 0) throw partial("batch", storageName, failures, operations.length);
}

/** Removes keys as they are found. */
export async function deleteEach(writer: Writer, keys: AsyncIterable<string>, signal: AbortSignal | undefined): Promise<void> {
  const failures: Failure[] = [];
  let total = 0;
  await forEachConcurrently(keys, callsAtOnce, async (key, index) => {
    total++;
    signal?.throwIfAborted();
    await writer.delete(key, undefined, "clear").catch((error: unknown) => failures.push({ index, key, error }));
  });
  if (failures.length > 0) throw partial("clear", storageName, failures, total);
}

async function apply(writer: Writer, operation: Operation<Bytes>, signal: AbortSignal | undefined): Promise<void> {
  const { key, type, options } = operation;
  checkKey(key, "batch", storageName);
  if (type === "delete") return await writer.delete(key, options, "batch");
  checkBytes(operation.value, "batch", storageName, key);
  await writer.put(key, operation.value, signal === undefined ? operation.options : { ...operation.options, signal }, "batch");
}
