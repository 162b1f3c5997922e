import type { ByteStorage, ClearOptions, Failure } from "@stowage/core";
import { forEachConcurrently, partial, scan } from "@stowage/core";
import type { Missed } from "./outcomes.ts";
import { noAnswer } from "./outcomes.ts";
import { mayAskAnother } from "./replica-call.ts";
import type { Replica } from "./replica.ts";
import { isTombstoneKey } from "./tombstones.ts";

/** Keys that are deleted at once. */
const concurrency = 16;

/** Deletes what any replica has. So many of them must tell it that whatever was acknowledged is among it. */
export async function clearAll(
  storage: Pick<ByteStorage, "name" | "delete">,
  replicas: readonly Replica[],
  enough: number,
  options: ClearOptions,
): Promise<void> {
  const { prefix, signal } = options;
  const failures: Failure[] = [];
  const missed: Missed[] = [];
  let total = 0;
  for (const replica of replicas) {
    try {
      const list: ByteStorage["list"] = (page) => replica.call("list", (own) => replica.storage.list({ ...page, signal: own }), signal);
      await forEachConcurrently(scan({ list }, { prefix }), concurrency, async ({ key }) => {
        if (isTombstoneKey(key)) return;
        const index = total++;
        await storage.delete(key, { signal }).catch((error: unknown) => {
          signal?.throwIfAborted();
          failures.push({ index, key, error });
        });
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayAskAnother(error)) throw error;
      missed.push({ replica, error });
    }
  }
  if (failures.length > 0) throw partial("clear", storage.name, failures, total);
  if (replicas.length - missed.length < enough) throw noAnswer("clear", undefined, missed, enough);
}
