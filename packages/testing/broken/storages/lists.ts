import type { Bytes, ClearOptions, DeleteOptions, EntryInfo, ListOptions, Page, PutOptions } from "@stowage/core";
import { scan, StorageError } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin } from "../twin.ts";

class GivesOneTooMany extends Twin {
  override list(options: ListOptions = {}): Promise<Page> {
    return super.list(typeof options.limit === "number" ? { ...options, limit: options.limit + 1 } : options);
  }
}

class RepeatsAKey extends Twin {
  #last: EntryInfo | undefined;

  override async list(options: ListOptions = {}): Promise<Page> {
    const page = await super.list(options);
    const repeated = options.cursor !== undefined && this.#last !== undefined ? [this.#last] : [];
    this.#last = page.entries.at(-1);
    return { ...page, entries: [...repeated, ...page.entries].slice(0, options.limit ?? 1000) };
  }
}

class SkipsAKey extends Twin {
  override async list(options: ListOptions = {}): Promise<Page> {
    const page = await super.list(options);
    return { ...page, entries: options.cursor === undefined ? page.entries : page.entries.slice(1) };
  }
}

class EndsAfterOnePage extends Twin {
  override async list(options?: ListOptions): Promise<Page> {
    const { entries, prefixes } = await super.list(options);
    return { entries, prefixes };
  }
}

/** Sorts each listing in another order, in one page. */
function sorting(compare?: (a: string, b: string) => number): typeof Twin {
  return class extends Twin {
    override async list(options: ListOptions = {}): Promise<Page> {
      const page = await super.list(options);
      const keys = page.entries.map((entry) => entry.key).toSorted(compare);
      return { ...page, entries: keys.map((key) => page.entries.find((entry) => entry.key === key)!) };
    }
  };
}

class CountsInOffsets extends Twin {
  override async list(options: ListOptions = {}): Promise<Page> {
    const { cursor, limit = 1000, delimiter, ...rest } = options;
    if (delimiter !== undefined || limit < 1 || typeof limit !== "number") return await super.list(options);
    const all: EntryInfo[] = [];
    for await (const entry of scan(this.below, rest)) all.push(entry);
    const start = Number(cursor ?? 0);
    const entries = all.slice(start, start + limit);
    return start + limit < all.length ? { entries, prefixes: [], cursor: String(start + limit) } : { entries, prefixes: [] };
  }
}

class ReadsPrefixesAsPatterns extends Twin {
  override async list(options: ListOptions = {}): Promise<Page> {
    const { prefix, ...rest } = options;
    if (typeof prefix !== "string" || !prefix.includes("_")) return await super.list(options);
    const pattern = new RegExp(`^${prefix.replaceAll(".", "\\.").replaceAll("_", ".")}`);
    const page = await super.list(rest);
    return { ...page, entries: page.entries.filter((entry) => pattern.test(entry.key)) };
  }
}

class IncludesStartAfter extends Twin {
  override async list(options: ListOptions = {}): Promise<Page> {
    const page = await super.list(options);
    const { startAfter, prefix = "" } = options;
    const first =
      typeof startAfter === "string" && startAfter.startsWith(prefix) && (await super.has(startAfter)) ? [{ key: startAfter }] : [];
    return { ...page, entries: [...first, ...page.entries] };
  }
}

class RollsUpOncePerPage extends Twin {
  override async list(options: ListOptions = {}): Promise<Page> {
    const { delimiter, ...rest } = options;
    if (typeof delimiter !== "string" || delimiter === "") return await super.list(options);
    const page = await super.list(rest);
    const from = (options.prefix ?? "").length;
    const entries = page.entries.filter(({ key }) => !key.slice(from).includes(delimiter));
    const groups = page.entries.filter((entry) => !entries.includes(entry));
    const prefixes = new Set(groups.map(({ key }) => key.slice(0, key.indexOf(delimiter, from) + delimiter.length)));
    return { ...page, entries, prefixes: Array.from(prefixes) };
  }
}

class RejectsAMissingDelete extends Twin {
  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    if (!(await super.has(key, options)))
      throw new StorageError("internal", "There is no such entry.", { storage: this.name, operation: "delete" });
    await super.delete(key, options);
  }
}

class DeletesWhatIsBelow extends Twin {
  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    await super.delete(key, options);
    await super.clear({ prefix: `${key}/` });
  }
}

class ClearsEverything extends Twin {
  override clear(options?: ClearOptions): Promise<void> {
    return super.clear({ ...options, prefix: undefined });
  }
}

class ClearsOnePage extends Twin {
  override async clear(options?: ClearOptions): Promise<void> {
    const page = await super.list(options);
    await super.batch(page.entries.map(({ key }) => ({ type: "delete", key })));
  }
}

class ListsLate extends Twin {
  readonly #pages = new Map<string, Promise<Page>>();

  override list(options: ListOptions = {}): Promise<Page> {
    const name = JSON.stringify({ ...options, signal: undefined });
    const page = this.#pages.get(name) ?? super.list(options);
    this.#pages.set(name, page);
    return page;
  }

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options); // and forgets to drop the pages
  }
}

export const brokenLists: readonly BrokenStorage[] = [
  control("gives one more than the limit", "a page never holds more than its limit", GivesOneTooMany),
  control("repeats a key on the next page", "pages of any size give every key once", RepeatsAKey),
  control("loses a key between pages", "pages of any size give every key once", SkipsAKey),
  control("ends after one page", "the last page has no cursor, and all before it have one", EndsAfterOnePage),
  control("sorts keys as strings", "a listing is in the order of UTF-8 bytes", sorting()),
  control(
    "sorts keys for people",
    "a listing is in the order of UTF-8 bytes",
    sorting((a, b) => a.localeCompare(b)),
  ),
  control("counts pages in offsets", "who deletes each page on the way sees every key", CountsInOffsets),
  control("reads a prefix as a pattern", "no character of a prefix is a wild card", ReadsPrefixesAsPatterns),
  control("includes startAfter", "startAfter gives what sorts after it", IncludesStartAfter),
  control("gives a prefix again on the next page", "pages give every rolled-up prefix once", RollsUpOncePerPage),
  control("lists what was there before", "a put is listed at once", ListsLate),
  control("rejects a delete of what is missing", "delete of what is not there succeeds", RejectsAMissingDelete),
  control("deletes what is below a key", "delete of a prefix is no delete of what is under it", DeletesWhatIsBelow),
  control("clears everything for a prefix", "clear with a prefix removes what starts with it", ClearsEverything),
  control("clears one page alone", "clear removes more than a page holds", ClearsOnePage),
];
