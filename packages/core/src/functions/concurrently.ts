/** Calls in flight at once where one call is answered by many. */
export const concurrency = 16;

/**
 * Runs `work` for each item, at most `limit` at once, in the order of the items. On the first failure nothing more is
 * started, what runs is waited for, and that failure is thrown.
 */
export async function forEachConcurrently<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let freed: (() => void) | undefined;
  let index = 0;
  try {
    for await (const item of items) {
      const task: Promise<void> = work(item, index++)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          running.delete(task);
          freed?.();
        });
      running.add(task);
      if (running.size >= limit) {
        await new Promise<void>((resolve) => {
          freed = resolve;
        });
      }
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}
