import assert from "node:assert/strict";
import * as fc from "fast-check";
import { codeOf, equal, failure, refuses, rejects } from "../assertions.ts";
import { keyOperations } from "../operations.ts";
import { anyText, property } from "../property.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";

export const keys: readonly ContractPromise[] = section(2, {
  ...refusals(),
  "batch refuses what is not a key, and does the rest": async ({ storage, value }) => {
    const error = await rejects(
      () =>
        storage.batch([
          { type: "put", key: "before", value: value(0) },
          { type: "put", key: "nul\0", value: value(0) },
          { type: "delete", key: "" },
          { type: "put", key: "after", value: value(0) },
        ]),
      "partial",
    );
    equal(
      error.failures?.map((failed) => [failed.index, codeOf(failed.error)]),
      [
        [1, "invalid-key"],
        [2, "invalid-key"],
      ],
      "What failed",
    );
    equal([await storage.has("before"), await storage.has("after")], [true, true], "What was stored");
  },
  "a refused key stores nothing": async ({ storage, capabilities, value }) => {
    for (const { key } of wrongKeys) await failure(() => storage.put(key as string, value(0)));
    if (capabilities.list !== "none") equal((await storage.list()).entries, [], "The listing");
  },
  "a key of 1024 bytes works where any key does": async (context) => {
    const [one, other] = [`${"k".repeat(1023)}1`, `${"k".repeat(1023)}2`];
    await exactOrRefused(context, [one, other]);
  },
  "a key of 1024 bytes in fewer characters works where any key does": async (context) => {
    await exactOrRefused(context, [`${"€".repeat(341)}1`, `${"€".repeat(341)}2`, "😀".repeat(256)]);
  },
  "names that every object has are ordinary keys": async (context) => {
    const { storage } = context;
    const names = ["__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "then", "length", "size"];
    for (const name of names) {
      const found: unknown = await storage.get(name).catch((error: unknown) => notAKey(context, error));
      equal(found, undefined, `get("${name}") of an empty storage`);
      equal(
        await storage.has(name).catch((error: unknown) => notAKey(context, error) ?? false),
        false,
        `has("${name}") of an empty storage`,
      );
    }
    await exactOrRefused(context, names);
  },
  "keys of lower-case letters, digits and / . _ - work everywhere": async ({ storage, value }) => {
    const names = [
      "a",
      "0",
      "-",
      "_",
      "a-b",
      "a_b",
      "a.b",
      "b/c/d.json",
      "b/c/e",
      "b/c.json",
      ".hidden",
      "-a",
      "a..b",
      "x.y.z",
      "b/c/..d",
      "con",
    ];
    for (const [index, name] of names.entries()) await storage.put(name, value(index));
    for (const [index, name] of names.entries()) equal(await storage.get(name), value(index), `The value of "${name}"`);
  },
  "a key of 200 bytes works everywhere": async ({ storage, value }) => {
    const names = ["k".repeat(199), `${"k".repeat(199)}1`, `${"k".repeat(199)}2`, `deep/${"d/".repeat(97)}e`];
    for (const [index, name] of names.entries()) await storage.put(name, value(index));
    for (const [index, name] of names.entries()) equal(await storage.get(name), value(index), "The value");
    equal((await storage.head(names[1]!))?.key, names[1], "The key");
  },
  "any plain keys keep what was put under them": async ({ storage, value }) => {
    const segment = fc.string({ unit: fc.constantFrom("a", "b", "z", "0", "5", "9", "_", "-"), minLength: 1, maxLength: 12 });
    const plain = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `${parts.join("/")}.x`);
    await property(fc.uniqueArray(plain, { maxLength: 8 }), async (names) => {
      for (const [index, name] of names.entries()) await storage.put(name, value(index));
      for (const [index, name] of names.entries()) equal(await storage.get(name), value(index), `The value of "${name}"`);
    });
  },
  "any keys at all are kept apart or refused": async (context) => {
    await property(fc.uniqueArray(anyText, { maxLength: 6 }), async (names) => {
      await exactOrRefused(context, names);
      for (const name of names) await context.storage.delete(name).catch((error: unknown) => notAKey(context, error));
    });
  },
  "a listing gives unusual keys back as they were put": needs("list", async (context) => {
    const names = ["A", "a ", " a", "%2F", "tab\t", "line\n", "é", "e\u0301", "日本", "😀", "a?b#c", "\\", "quote\"'", "*", "ﬁ", "."];
    const taken = await exactOrRefused(context, names);
    const listed = new Set((await context.storage.list()).entries.map((entry) => entry.key));
    equal(Array.from(listed).toSorted(), taken.toSorted(), "The listing");
  }),
});

/** What is no key, and why. */
const wrongKeys: readonly { readonly key: unknown; readonly what: string }[] = [
  { key: "", what: "empty" },
  { key: "nul\0", what: "with a NUL" },
  { key: "\0", what: "only a NUL" },
  { key: "k".repeat(1025), what: "of 1025 bytes" },
  { key: "€".repeat(342), what: "of 1026 bytes in 342 characters" },
  { key: "high\ud83d", what: "with a lone high surrogate" },
  { key: "\ude00low", what: "with a lone low surrogate" },
  { key: undefined, what: "undefined" },
  { key: null, what: "null" },
  { key: 1, what: "a number" },
  { key: ["key"], what: "an array" },
];

/** One promise for each operation that takes a key. */
function refusals(): Record<string, Check> {
  return Object.fromEntries(
    keyOperations.map((operation) => [
      `${operation.name} refuses what is not a key`,
      needs(operation.needs, async (context: ContractContext) => {
        for (const { key, what } of wrongKeys) {
          await refuses(context, () => operation.start(context, key as string), "invalid-key").catch((error: unknown) => {
            throw new assert.AssertionError({ message: `A key that is ${what}: ${(error as Error).message}` });
          });
        }
      }),
    ]),
  );
}

/**
 * Puts a value under each key and gives the keys that were taken: all where any key is legal; elsewhere a key may be
 * refused, but never taken and then mixed up with another one.
 */
export async function exactOrRefused(context: ContractContext, names: readonly string[]): Promise<string[]> {
  const { storage, value } = context;
  const taken: string[] = [];
  for (const [index, name] of names.entries()) {
    try {
      const info = await storage.put(name, value(index));
      equal(info.key, name, "The key that put gives");
      taken.push(name);
    } catch (error) {
      notAKey(context, error);
    }
  }
  for (const [index, name] of names.entries()) {
    if (!taken.includes(name)) continue;
    equal(await storage.get(name), value(index), `The value of ${JSON.stringify(name)}`);
    equal((await storage.head(name))?.key, name, "The key that head gives");
  }
  return taken;
}

/** Throws the error unless it is a refusal that `capabilities` allow. */
export function notAKey({ capabilities }: ContractContext, error: unknown): undefined {
  if (!capabilities.anyKey && codeOf(error) === "invalid-key") return undefined;
  throw error;
}
