import { equal } from "../assertions.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { section } from "../promise.ts";
import { exactOrRefused, notAKey } from "./keys.ts";

/** Keys that somebody's storage took for one and the same. */
const pairs: readonly (readonly [string, string])[] = [
  ["a/b", "a//b"],
  ["/a", "a"],
  ["a/", "a"],
  ["a", "a/b"],
  ["./a", "a"],
  ["a/./b", "a/b"],
  ["a/../b", "b"],
  ["..", "."],
  ["../a", "a"],
  ["foo..", "foo"],
  ["A", "a"],
  ["ǆ", "ǅ"],
  ["ß", "ss"],
  ["a ", "a"],
  [" a", "a"],
  ["a.", "a"],
  ["a\t", "a"],
  ["a\n", "a"],
  ["a:b", "a/b"],
  ["a\\b", "a/b"],
  ["a?x", "a?y"],
  ["a#x", "a"],
  ["a+b", "a b"],
  ["a%2Fb", "a/b"],
  ["%2F", "/"],
  ["%61", "a"],
  ["%", "%25"],
  ["caf\u00e9", "cafe\u0301"],
  ["\ufb01", "fi"],
  ["a\u200bb", "ab"],
  ["\ufeffa", "a"],
  ["😀", "😁"],
  ["\u{10000}", "\uffff"],
  ["a--b", "ab"],
  ["$a", "a"],
  ["x;y", "xy"],
  ["a../b", "a/b"],
  ["1", "01"],
  ["1", "1.0"],
  ["nul", "NUL"],
  ["a*", "ab"],
  ["a_b", "axb"],
  ["a", "a.json"],
  ["a\u0001", "a"],
];

/** One promise for each pair: both are kept apart, whichever came first, also when one is replaced or deleted. */
export const keyPairs: readonly ContractPromise[] = section(2, Object.fromEntries(pairs.map(promiseOf)));

function promiseOf([one, other]: readonly [string, string]): [string, Check] {
  return [`${escaped(one)} and ${escaped(other)} are two keys`, (context) => keepsApart(context, one, other)];
}

async function keepsApart(context: ContractContext, one: string, other: string): Promise<void> {
  const { storage, value } = context;
  const taken = await exactOrRefused(context, [one, other]);
  if (taken.length < 2)
    return await isRefused(
      context,
      [one, other].filter((key) => !taken.includes(key)),
    );
  await storage.put(one, value(2));
  equal(await storage.get(other), value(1), "The other value after one was replaced");
  await storage.delete(one);
  equal(await storage.has(one), false, "has of the deleted key");
  equal(await storage.get(other), value(1), "The other value after one was deleted");
}

/** A key that cannot be put is not there either. */
async function isRefused(context: ContractContext, refused: readonly string[]): Promise<void> {
  for (const key of refused) {
    const found: unknown = await context.storage.get(key).catch((error: unknown) => notAKey(context, error));
    equal(found, undefined, "get of a key that was refused");
  }
}

/** A key in printable characters. */
function escaped(key: string): string {
  const text = Array.from(key, (character) =>
    /[!-~ ]/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  ).join("");
  return `"${text}"`;
}
