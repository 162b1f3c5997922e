import type { BatchOptions, Bytes, Operation } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Seen } from "./creating.ts";

/** How a batch gets below. */
export interface BatchSending {
  readonly look: (key: string) => Promise<Seen | undefined>;
  readonly send: (operations: readonly Operation<Bytes>[]) => Promise<void>;
}

/** Times that a batch is sent again because nothing is in the way of what it creates, or nothing but what has expired. */
const restarts = 3;

/** A batch that creates entries also where nothing is but what has expired. Only an atomic one has conditions. */
export async function sendBatch(
  operations: readonly Operation<Bytes>[],
  options: BatchOptions | undefined,
  { look, send }: BatchSending,
): Promise<void> {
  const creations = firstCreations(operations);
  const replaces = operations.some(({ options: asked }) => asked?.ifMatch !== undefined);
  let sent = operations;
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(sent);
    } catch (error) {
      if (creations.size === 0 || attempt >= restarts || !StorageError.is(error, "precondition-failed")) throw error;
      const changed = [...operations];
      let expired = 0;
      for (const [index, operation] of creations) {
        const seen = await look(operation.key);
        if (seen?.expired === false) throw error;
        if (seen?.etag === undefined) continue;
        changed[index] = { ...operation, options: { ...operation.options, ifNoneMatch: undefined, ifMatch: seen.etag } };
        expired++;
      }
      if (expired === 0 && replaces) throw error; // else what was in the way of a creation has gone meanwhile
      sent = changed;
    }
  }
}

/** The operations that create, by their positions; those that come first under their key, for the others find what the batch left. */
function firstCreations(operations: readonly Operation<Bytes>[]): ReadonlyMap<number, Operation<Bytes> & { readonly type: "put" }> {
  const creations = new Map<number, Operation<Bytes> & { readonly type: "put" }>();
  const keys = new Set<string>();
  for (const [index, operation] of operations.entries()) {
    if (!keys.has(operation.key) && operation.type === "put" && operation.options?.ifNoneMatch !== undefined)
      creations.set(index, operation);
    keys.add(operation.key);
  }
  return creations;
}
