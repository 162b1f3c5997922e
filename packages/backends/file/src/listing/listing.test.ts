import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ByteStorage, ListOptions } from "@stowage/core";
import { compareKeys, scan } from "@stowage/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytes, freshFolder, open } from "../testing/folders.ts";
import { ObservedFileSystem } from "../testing/observed-file-system.ts";
import { fromCursor, isBefore, positionIn, toCursor } from "./position.ts";
import { SortedNames } from "./sorted-names.ts";

/** What a list says of these keys, found the simple way. */
function expected(keys: readonly string[], { prefix = "", delimiter, startAfter = "" }: ListOptions): string[] {
  const found = new Set<string>();
  for (const key of keys.toSorted(compareKeys)) {
    if (!key.startsWith(prefix) || compareKeys(key, startAfter) <= 0) continue;
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    found.add(end === -1 ? key : `${key.slice(0, end + delimiter!.length)}…`);
  }
  return Array.from(found);
}

/** All pages of a list, checked to be in order and within the limit. */
async function listed(storage: ByteStorage, options: ListOptions): Promise<string[]> {
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.list({ ...options, ...(cursor === undefined ? {} : { startAfter: undefined, cursor }) });
    const some = [...page.entries.map(({ key }) => key), ...page.prefixes.map((prefix) => `${prefix}…`)];
    expect(some.length).toBeLessThanOrEqual(options.limit ?? 1000);
    all.push(...some);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

const segment = fc.oneof(
  fc.constantFrom(
    "a",
    "b",
    "a.",
    "a-",
    "a0",
    "A",
    "ab",
    "b!",
    "é",
    "😀",
    "\uffff",
    "x".repeat(79),
    "x".repeat(80),
    `${"x".repeat(80)}!`,
    `${"x".repeat(80)}y`,
  ),
  fc
    .string({ unit: fc.constantFrom("a", "b", ".", "-", "0", "😀", "ﬀ"), minLength: 1, maxLength: 3 })
    .filter((text) => !/^\.{1,2}$/.test(text)),
);
const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map((list) => list.join("/"));
const options = fc.record(
  {
    prefix: fc.oneof(
      key,
      segment,
      key.map((text) => `${text}/`),
      fc.constantFrom("", "a", "x".repeat(80), "x".repeat(85)),
    ),
    delimiter: fc.constantFrom("/", "-", "a", "/a", "xx"),
    startAfter: fc.oneof(
      key,
      segment,
      key.map((text) => `${text}/`),
    ),
    limit: fc.constantFrom(1, 2, 3, 7, 1000),
  },
  { requiredKeys: [] },
);

describe.each(["tree", "encoded"] as const)("list in the layout %s", (layout) => {
  test("gives what a sorted array would, page by page", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 25, size: "max" }),
        fc.array(options, { minLength: 1, maxLength: 6 }),
        async (keys, lists) => {
          const storage = open(await freshFolder(), { layout });
          const there: string[] = [];
          for (const each of keys) {
            // In the tree a value and a folder exclude each other.
            await storage.put(each, bytes("v")).then(
              () => there.push(each),
              () => {},
            );
          }
          for (const list of lists) {
            expect((await listed(storage, list)).toSorted(), JSON.stringify(list)).toEqual(expected(there, list).toSorted());
            if (list.delimiter === undefined) expect(await listed(storage, list)).toEqual(expected(there, list));
          }
          await storage.close();
        },
      ),
      { numRuns: 150 },
    );
  });

  test("gives sizes, times and versions on request", async () => {
    const storage = open(await freshFolder(), { layout });
    const put = [await storage.put("a/b", bytes("12")), await storage.put("c", bytes("345"))];
    expect((await storage.list({ info: true })).entries).toEqual(put);
  });

  test("any process can continue with the cursor of another", async () => {
    const directory = await freshFolder();
    const storage = open(directory, { layout });
    for (let index = 0; index < 30; index++) await storage.put(`folder-${index % 3}/key-${index}`, bytes("v"));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await open(directory, { layout }).list({ limit: 7, cursor });
      seen.push(...page.entries.map((entry) => entry.key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(30);
    expect(seen).toEqual(seen.toSorted());
  });

  test("a broken cursor, or that of another list, is refused", async () => {
    const storage = open(await freshFolder(), { layout });
    for (const name of ["a/1", "a/2", "a/3"]) await storage.put(name, bytes("v"));
    const { cursor } = await storage.list({ prefix: "a/", limit: 1 });
    const refused = { code: "invalid-option", operation: "list" };
    for (const broken of [
      "",
      "x",
      `${cursor}=`,
      `${cursor}A`,
      cursor!.slice(1),
      cursor!.toUpperCase(),
      "💥",
      Buffer.from("00000000ka/1").toString("base64url"),
    ]) {
      await expect(storage.list({ prefix: "a/", cursor: broken })).rejects.toMatchObject(refused);
    }
    await expect(storage.list({ cursor })).rejects.toMatchObject(refused);
    await expect(storage.list({ prefix: "a/", delimiter: "/", cursor })).rejects.toMatchObject(refused);
    expect((await storage.list({ prefix: "a/", cursor })).entries).toEqual([{ key: "a/2" }, { key: "a/3" }]);
  });
});

describe("paging", () => {
  test("reads a large folder once for all pages, and again for a new list", async () => {
    const directory = await freshFolder();
    await Promise.all(Array.from({ length: 500 }, (_, index) => writeFile(join(directory, `key ${index}`), "")));
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { fileSystem });
    const reads = (): number => fileSystem.log.filter((name) => name.endsWith("opendir")).length;
    await storage.has("key");
    const before = reads();
    expect(await listed(storage, { limit: 20 })).toHaveLength(500);
    expect(reads() - before).toBe(1);
    await writeFile(join(directory, "key 0 and more"), "");
    expect(await listed(storage, { limit: 600 })).toHaveLength(501);
  });

  test("forgets a folder after half a minute", async () => {
    const directory = await freshFolder();
    await Promise.all(Array.from({ length: 300 }, (_, index) => writeFile(join(directory, `key ${String(index).padStart(3, "0")}`), "")));
    let now = 1_000;
    const storage = open(directory, { clock: { now: () => now, sleep: async () => {} } });
    const { cursor } = await storage.list({ limit: 100 });
    await writeFile(join(directory, "key 200 and more"), "");
    now += 29_999;
    expect((await storage.list({ cursor })).entries).toHaveLength(200);
    now += 1;
    expect((await storage.list({ cursor })).entries).toHaveLength(201);
  });

  test("goes on while keys come and go: what is there throughout comes once", async () => {
    const storage = open(await freshFolder());
    for (let index = 0; index < 400; index++) await storage.put(`${index % 4}/${index}`, bytes("v"));
    const seen: string[] = [];
    for await (const entry of scan(storage, { limit: 9 })) {
      seen.push(entry.key);
      if (seen.length % 5 === 0) await storage.put(`${seen.length % 4}/new ${seen.length}`, bytes("v"));
      if (Number(entry.key.split("/")[1]) % 3 === 0) await storage.delete(entry.key);
    }
    const old = seen.filter((name) => !name.includes("new"));
    expect(old).toHaveLength(400);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("an abort ends a list that is under way", async () => {
    const directory = await freshFolder();
    for (let index = 0; index < 50; index++) {
      await mkdir(join(directory, String(index)));
      await writeFile(join(directory, String(index), "key"), "");
    }
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { fileSystem });
    const stop = new AbortController();
    let folders = 0;
    fileSystem.interfere = ({ name }, go) => {
      if (name === "opendir" && ++folders === 10) stop.abort(new Error("enough"));
      return go();
    };
    await expect(storage.list({ signal: stop.signal })).rejects.toThrow("enough");
    await storage.close();
    expect(folders).toBe(10);
    expect(fileSystem.open.size).toBe(0);
  });
});

describe("sorted names", () => {
  const all = (names: SortedNames): string[] => {
    const found: string[] = [];
    for (const cursor = names.from(() => false); cursor.name !== undefined; cursor.advance()) found.push(cursor.name);
    return found;
  };

  test("come in the order of UTF-8, from many runs as from one", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.string({ unit: "binary", maxLength: 4 }).map((text) => text.toWellFormed()),
          { maxLength: 60, size: "max" },
        ),
        (list) => {
          const names = new SortedNames(1 << 20, 7);
          for (const name of list) names.add(name);
          expect(all(names.end())).toEqual(list.toSorted(compareKeys));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("can be entered anywhere, and skipped", () => {
    const names = new SortedNames(1 << 20, 3);
    for (const name of ["e", "a", "c", "b", "d", "g", "f"]) names.add(name);
    names.end();
    const cursor = names.from((name) => name < "c");
    expect(cursor.name).toBe("c");
    cursor.skip((name) => name <= "e");
    expect(cursor.name).toBe("f");
    cursor.advance();
    cursor.advance();
    expect(cursor.name).toBeUndefined();
  });

  test("keep the lower part of too many, and say from where on names are missing", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 300, size: "max" }),
        (list) => {
          const names = new SortedNames(40 * 36, 8);
          for (const name of list) names.add(name);
          const found = all(names.end());
          const sorted = list.toSorted(compareKeys);
          expect(found).toEqual(sorted.slice(0, found.length));
          if (names.ceiling === undefined) expect(found).toHaveLength(list.length);
          else expect(sorted[found.length] === undefined || compareKeys(sorted[found.length]!, names.ceiling) >= 0).toBe(true);
          expect(names.size).toBeLessThanOrEqual(40 * 36 + 8 * 37);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("positions", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "😀", "\uffff"), maxLength: 5 });

  test("go into a cursor and come out of it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", minLength: 1 }).map((value) => value.toWellFormed()),
        fc.boolean(),
        (value, past) => {
          expect(fromCursor(toCursor({ text: value, past }, "p", "/"), "p", "/")).toEqual({ text: value, past });
        },
      ),
    );
  });

  test("mean the same from within a folder as from above", () => {
    fc.assert(
      fc.property(
        text,
        fc.boolean(),
        text.map((value) => `${value}/`),
        text,
        (at, past, folder, item) => {
          fc.pre(at !== "" && item !== "");
          const position = { text: at, past };
          const inner = positionIn(position, folder);
          expect(inner !== undefined && isBefore(inner, item, false)).toBe(isBefore(position, folder + item, false));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
