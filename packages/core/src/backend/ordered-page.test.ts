import { expect, test } from "vitest";
import type { EntryInfo, ListOptions, Page } from "../contract/contract.ts";
import { compareKeys } from "../contract/keys.ts";
import type { ReadRange } from "./ordered-page.ts";
import { orderedPage, rangeUnder } from "./ordered-page.ts";
import { Turns } from "./turns.ts";

const turns = new Turns(setImmediate);
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Reads of a list of keys, and how many it gave. */
function reading(keys: readonly string[]): { read: ReadRange; given: () => number } {
  const sorted = keys.toSorted(compareKeys);
  let given = 0;
  const read: ReadRange = ({ from, end }, most) => {
    const found: EntryInfo[] = sorted
      .filter((key) => compare(key, from) >= 0 && (end === undefined || compare(key, end) < 0))
      .slice(0, most)
      .map((key) => ({ key }));
    given += found.length;
    return found;
  };
  return { read, given: () => given };
}

async function all(read: ReadRange, options: ListOptions): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page: Page = await orderedPage({ ...options, cursor }, "test", turns, read);
    expect(page.entries.length + page.prefixes.length).toBeLessThanOrEqual(options.limit ?? 1_000);
    found.push(...page.entries.map(({ key }) => key), ...page.prefixes);
    ({ cursor } = page);
  }
  return found;
}

test("pages of every size give each key and each prefix once", async () => {
  const keys = ["a", "a/b", "a/c/d", "b/1", "b/2", "c", "ü/1", "ü/2", "\u{10000}", "\uffff", "a0"];
  for (let limit = 1; limit <= 12; limit++) {
    const { read } = reading(keys);
    expect(await all(read, { limit })).toEqual(keys.toSorted(compareKeys));
    expect((await all(read, { limit, delimiter: "/" })).toSorted()).toEqual(
      ["a", "a/", "a0", "b/", "c", "ü/", "\u{10000}", "\uffff"].toSorted(),
    );
    expect(await all(read, { limit, prefix: "a/" })).toEqual(["a/b", "a/c/d"]);
  }
});

test("what is rolled up into a prefix is stepped over", async () => {
  const { read, given } = reading(Array.from({ length: 5_000 }, (_, index) => `${index % 5}/${index}`));
  expect(await all(read, { delimiter: "/", limit: 10 })).toEqual(["0/", "1/", "2/", "3/", "4/"]);
  expect(given()).toBeLessThan(100);
});

test("startAfter begins behind a key, and never before the prefix", async () => {
  const { read } = reading(["a", "b", "ba", "c"]);
  expect(await all(read, { startAfter: "a" })).toEqual(["b", "ba", "c"]);
  expect(await all(read, { prefix: "b", startAfter: "a" })).toEqual(["b", "ba"]);
  expect(await all(read, { prefix: "b", startAfter: "b" })).toEqual(["ba"]);
  expect(await all(read, { prefix: "b", startAfter: "c" })).toEqual([]);
});

test("a cursor that nobody gave is refused", async () => {
  await expect(orderedPage({ cursor: "nonsense" }, "test", turns, () => [])).rejects.toMatchObject({ code: "invalid-option" });
});

test("a cursor of a page under another prefix is refused", async () => {
  const { read } = reading(["a/1", "a/2", "aa", "b1", "b2"]);
  for (const delimiter of ["/", undefined]) {
    const { cursor } = await orderedPage({ delimiter, limit: 1 }, "test", turns, read);
    await expect(orderedPage({ prefix: "b", cursor }, "test", turns, read)).rejects.toMatchObject({ code: "invalid-option" });
  }
});

test("the range under a prefix ends behind every key with it, and before every other", () => {
  expect(rangeUnder("")).toEqual({ from: "", end: undefined });
  for (const prefix of ["a", "é", "a/\u{d7ff}", "\uffff", "a\u{10ffff}", "ab\u{10ffff}\u{10ffff}"]) {
    const { end } = rangeUnder(prefix);
    expect(end!.isWellFormed()).toBe(true);
    expect(compare(`${prefix}\u{10ffff}\u{10ffff}`, end!)).toBeLessThan(0);
    expect(end!.startsWith(prefix)).toBe(false);
  }
  expect(rangeUnder("\u{10ffff}").end).toBeUndefined();
});

test("a list that goes on behind the last of all keys is at its end", async () => {
  const { read } = reading(["\u{10ffff}/a", "\u{10ffff}/b"]);
  expect(await all(read, { delimiter: "/", limit: 1 })).toEqual(["\u{10ffff}/"]);
  expect(await all(read, { delimiter: "\u{10ffff}", limit: 1 })).toEqual(["\u{10ffff}"]);
});
