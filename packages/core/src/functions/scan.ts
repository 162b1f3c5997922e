import type { AnyStorage, EntryInfo, ListOptions } from "../contract/contract.ts";

/** Every entry of a list, page by page. `limit` is the size of a page here. */
export async function* scan(
  storage: Pick<AnyStorage, "list">,
  options: Omit<ListOptions, "delimiter"> = {},
): AsyncGenerator<EntryInfo, void, void> {
  let { cursor, startAfter } = options;
  do {
    const page = await storage.list({ ...options, cursor, startAfter });
    for (const entry of page.entries) yield entry; // `yield*` would ask for a promise more for each
    cursor = page.cursor;
    startAfter = undefined;
  } while (cursor !== undefined);
}
