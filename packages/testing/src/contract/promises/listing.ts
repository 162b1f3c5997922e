import assert from "node:assert/strict";
import type { ListOptions, Storage } from "@stowage/core";
import { equal, refuses } from "../assertions.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { keysOf, prefixesOf, sorted } from "../reading.ts";
import { exactOrRefused } from "./keys.ts";

/** Keys whose order differs between bytes and most ways to sort text, none a folder of another. */
const plain = ["a-b", "a.b", "a/b", "a/c/d", "a/c/e", "a0", "a_b", "aa", "ab/c", "b", "c-/x", "c/x", "c0/x"];

export const listing: readonly ContractPromise[] = section(7, {
  "an empty storage lists nothing": needs("list", async ({ storage }) => {
    equal(await keysOf(storage), []);
    equal(await keysOf(storage, { prefix: "a", info: true }), []);
  }),
  "a listing gives every key once": needs("list", async (context) => {
    await fill(context, plain);
    equal(await keysOf(context.storage), sorted(plain));
  }),
  "a listing is in the order of UTF-8 bytes": needs(["list", "ordered"], async (context) => {
    const names = ["A", "Z", "a", "z", "é", "e\u0301", "zz", "\uffee", "😀", "\u{10ffff}", "%", "~", "a b", "a!b", "10", "9"];
    equal(await keysOf(context.storage), [], "The listing before");
    const taken = await exactOrRefused(context, [...names, ...plain]);
    equal(await keysOf(context.storage), sorted(taken));
  }),
  "a key that was replaced is listed once": needs("list", async ({ storage, value }) => {
    for (let index = 0; index < 3; index++) await storage.put("key", value(index));
    equal(await keysOf(storage), ["key"]);
  }),
  "a key that was deleted is not listed": needs("list", async (context) => {
    await fill(context, plain);
    await context.storage.delete("a/b");
    equal(await keysOf(context.storage), sorted(plain.filter((key) => key !== "a/b")));
  }),
  "a put is listed at once": needs("list", async ({ storage, value }) => {
    equal(await keysOf(storage), [], "before");
    await storage.put("key", value(0));
    equal(await keysOf(storage), ["key"], "after");
  }),
  "prefix gives the keys that start with it": needs("list", async (context) => {
    await fill(context, plain);
    for (const prefix of ["a", "a/", "a/c", "a/c/", "ab", "b", "a0", "c/x", "c0"]) {
      equal(
        await keysOf(context.storage, { prefix }),
        sorted(plain.filter((key) => key.startsWith(prefix))),
        `The listing under "${prefix}"`,
      );
    }
  }),
  "an empty prefix gives every key": needs("list", async (context) => {
    await fill(context, plain);
    equal(await keysOf(context.storage, { prefix: "" }), sorted(plain));
  }),
  "a prefix that nothing starts with gives nothing": needs("list", async (context) => {
    await fill(context, plain);
    for (const prefix of ["x", "a/b/", "bb", "a/c/d/", "zzz"])
      equal(await keysOf(context.storage, { prefix }), [], `The listing under "${prefix}"`);
  }),
  "no character of a prefix is a wild card": needs("list", async (context) => {
    await fill(context, ["a_b", "axb", "a.b", "a-b"]);
    equal(await keysOf(context.storage, { prefix: "a_" }), ["a_b"]);
    equal(await keysOf(context.storage, { prefix: "a." }), ["a.b"]);
    const unusual = await exactOrRefused(context, ["p%q", "p*q", "p?q", "p[q]", "p\\q", "p^q", "P%q"]);
    for (const key of unusual)
      equal(await keysOf(context.storage, { prefix: key.slice(0, 2) }), [key], `The listing under ${key.slice(0, 2)}`);
  }),
  "a listing with info tells what head tells": needs("list", async ({ storage, value }) => {
    await storage.put("key", value(0));
    const head = await storage.head("key");
    const [entry] = (await storage.list({ info: true })).entries;
    equal(entry?.key, "key", "The key");
    for (const name of ["size", "etag", "modifiedAt", "expiresAt"] as const) {
      if (entry?.[name] !== undefined && head?.[name] !== undefined) equal(entry[name], head[name], name);
    }
  }),
  "a listing gives no values": needs("list", async ({ storage, value }) => {
    await storage.put("key", value(0));
    for (const info of [true, false])
      assert.ok(!("value" in (await storage.list({ info })).entries[0]!), "An entry of a list has no value.");
  }),
  "without a delimiter nothing is rolled up": needs("list", async (context) => {
    await fill(context, plain);
    equal((await context.storage.list()).prefixes, []);
    equal((await context.storage.list({ prefix: "a/" })).prefixes, []);
  }),
  "a delimiter rolls keys up": needs(["list", "ordered"], async (context) => {
    await fill(context, plain);
    await lists(context.storage, { delimiter: "/" }, ["a-b", "a.b", "a0", "a_b", "aa", "b"], ["a/", "ab/", "c-/", "c/", "c0/"]);
  }),
  "a delimiter counts after the prefix": needs(["list", "ordered"], async (context) => {
    await fill(context, plain);
    await lists(context.storage, { delimiter: "/", prefix: "a/" }, ["a/b"], ["a/c/"]);
    await lists(context.storage, { delimiter: "/", prefix: "a/c/" }, ["a/c/d", "a/c/e"], []);
    await lists(context.storage, { delimiter: "/", prefix: "a" }, ["a-b", "a.b", "a0", "a_b", "aa"], ["a/", "ab/"]);
    await lists(context.storage, { delimiter: "/", prefix: "a/c" }, [], ["a/c/"]);
  }),
  "a delimiter may be any text": needs(["list", "ordered"], async (context) => {
    await fill(context, ["one--two", "one--three", "one-four", "five--", "six", "a_b", "axb"]);
    await lists(context.storage, { delimiter: "--" }, ["a_b", "axb", "one-four", "six"], ["five--", "one--"]);
    await lists(context.storage, { delimiter: "_" }, ["axb", "five--", "one--three", "one--two", "one-four", "six"], ["a_"]);
  }),
  "startAfter gives what sorts after it": needs(["list", "ordered"], async (context) => {
    await fill(context, plain);
    const all = sorted(plain);
    for (const startAfter of [...plain, "0", "a", "a/", "a/bb", "a/c", "ab", "c", "zz"]) {
      const after = all.filter((key) => sorted([key, startAfter])[0] === startAfter && key !== startAfter);
      equal(await keysOf(context.storage, { startAfter }), after, `The listing after "${startAfter}"`);
    }
  }),
  "startAfter goes with a prefix": needs(["list", "ordered"], async (context) => {
    await fill(context, plain);
    equal(await keysOf(context.storage, { prefix: "a/c/", startAfter: "a/c/d" }), ["a/c/e"]);
    equal(await keysOf(context.storage, { prefix: "a/c/", startAfter: "a" }), ["a/c/d", "a/c/e"]);
    equal(await keysOf(context.storage, { prefix: "a/c/", startAfter: "b" }), []);
    equal(await keysOf(context.storage, { prefix: "c", startAfter: "c-/x", limit: 1 }), ["c/x", "c0/x"]);
  }),
  "an empty delimiter is refused": needs("list", async (context) => {
    await refuses(context, () => context.storage.list({ delimiter: "" }), "invalid-option");
  }),
  "a prefix, a delimiter or a startAfter that is no text is refused": needs("list", async (context) => {
    for (const name of ["prefix", "delimiter", "startAfter", "cursor"]) {
      await refuses(context, () => context.storage.list({ [name]: 1 }), "invalid-option");
    }
  }),
  "a page belongs to who asked for it": needs("list", async ({ storage, value }) => {
    await storage.put("key", value(0));
    const page = await storage.list({ info: true });
    Reflect.set(page.entries, "length", 0);
    equal(await keysOf(storage), ["key"]);
  }),
});

async function fill({ storage, value }: ContractContext, names: readonly string[]): Promise<void> {
  for (const [index, name] of names.entries()) await storage.put(name, value(index));
}

async function lists(
  storage: Storage<unknown>,
  options: ListOptions,
  entries: readonly string[],
  prefixes: readonly string[],
): Promise<void> {
  equal(await keysOf(storage, options), sorted(entries), `The entries of ${JSON.stringify(options)}`);
  equal(await prefixesOf(storage, options), sorted(prefixes), `The prefixes of ${JSON.stringify(options)}`);
}
