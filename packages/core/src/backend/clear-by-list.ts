import type { AnyStorage, ClearOptions } from "../contract/contract.ts";
import { checkClearOptions } from "../contract/options.ts";
import type { Failure } from "../contract/storage-error.ts";
import { concurrency, forEachConcurrently } from "../functions/concurrently.ts";
import { scan } from "../functions/scan.ts";
import { partial } from "./partial.ts";

/** `clear` for a storage that has no better way: lists what is there and deletes it. */
export async function clearByList(
  storage: Pick<AnyStorage, "name" | "capabilities" | "list" | "delete">,
  options: ClearOptions = {},
): Promise<void> {
  checkClearOptions(options, storage);
  const { prefix, signal } = options;
  const failures: Failure[] = [];
  let total = 0;
  await forEachConcurrently(scan(storage, { prefix, signal }), concurrency, async ({ key }, index) => {
    total++;
    try {
      await storage.delete(key, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ index, key, error });
    }
  });
  if (failures.length > 0) throw partial("clear", storage.name, failures, total);
}
