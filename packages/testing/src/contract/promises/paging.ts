import assert from "node:assert/strict";
import type { ListOptions, Operation, Storage } from "@stowage/core";
import * as fc from "fast-check";
import { equal, refuses } from "../assertions.ts";
import { property } from "../property.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { keysOf, pages, prefixesOf, sorted } from "../reading.ts";

const names = Array.from({ length: 10 }, (_, index) => `key-${index}`);

export const paging: readonly ContractPromise[] = section(7, {
  "a page never holds more than its limit": needs("list", async (context) => {
    await fill(context, names);
    for (const limit of [1, 2, 3, 9, 10, 11]) {
      for await (const page of pages(context.storage, { limit })) void page; // checks each page
    }
  }),
  "pages of any size give every key once": needs("list", async (context) => {
    await fill(context, names);
    for (const limit of [1, 2, 3, 4, 5, 9, 10, 11, 1000]) {
      equal(await keysOf(context.storage, { limit }), names, `The listing by ${limit}`);
      equal(await keysOf(context.storage, { limit, prefix: "key-", info: true }), names, `The listing by ${limit} with a prefix`);
    }
  }),
  "the last page has no cursor, and all before it have one": needs(["list", "ordered"], async ({ storage, value }) => {
    for (const name of names) await storage.put(name, value(0));
    const first = await storage.list({ limit: 4 });
    assert.ok(typeof first.cursor === "string", "A page that is not the last has a cursor.");
    equal((await storage.list({ limit: 11 })).cursor, undefined, "The cursor of the only page");
  }),
  "a page holds 1000 at the most where no limit is given": needs("list", async (context) => {
    const many = Array.from({ length: 1001 }, (_, index) => `many-${String(index).padStart(4, "0")}`);
    await context.storage.batch(many.map((key): Operation<unknown> => ({ type: "put", key, value: context.value(0) })));
    equal((await keysOf(context.storage)).length, 1001, "The number of keys");
  }),
  "a limit that is no whole number of at least 1 is refused": needs("list", async (context) => {
    for (const limit of [0, -1, 1.5, Number.NaN, Infinity, "1", null]) {
      await refuses(context, () => context.storage.list({ limit: limit as number }), "invalid-option");
    }
  }),
  "a cursor together with startAfter is refused": needs(["list", "ordered"], async (context) => {
    await fill(context, names);
    const { cursor } = await context.storage.list({ limit: 1 });
    await refuses(context, () => context.storage.list({ cursor, startAfter: "key-3" }), "invalid-option");
  }),
  "a cursor is a position: it can be used again": needs(["list", "ordered"], async (context) => {
    await fill(context, names);
    const { cursor } = await context.storage.list({ limit: 3 });
    const once = await context.storage.list({ limit: 3, cursor });
    const again = await context.storage.list({ limit: 3, cursor });
    equal(keys(again), keys(once));
    equal(keys(once), names.slice(3, 6));
  }),
  "a cursor goes on with another limit": needs(["list", "ordered"], async (context) => {
    await fill(context, names);
    const { cursor } = await context.storage.list({ limit: 3 });
    equal(keys(await context.storage.list({ limit: 100, cursor })), names.slice(3));
  }),
  "a cursor that another storage over the same data gave goes on": needs(["list", "outlives"], async (context) => {
    await fill(context, names);
    const first = await context.storage.list({ limit: 4 });
    await context.storage.close();
    const another = await context.reopen();
    const rest: string[] = [];
    for (let { cursor } = first; cursor !== undefined;) {
      const page = await another.list({ limit: 4, cursor });
      rest.push(...keys(page));
      ({ cursor } = page);
    }
    equal(sorted(new Set([...keys(first), ...rest])), names);
  }),
  "keys that stay are given while others come and go": needs("list", async (context) => {
    await fill(context, names);
    const { storage, value } = context;
    const seen: string[] = [];
    let step = 0;
    for await (const page of pages(storage, { limit: 2 })) {
      seen.push(...keys(page));
      await storage.put(`key-${step}-new`, value(0));
      await storage.delete(`key-${step}-new`);
      await storage.put(`zebra-${step}`, value(0));
      await storage.put(`aardvark-${step}`, value(0));
      if (++step > 60) break;
    }
    const stayed = seen.filter((key) => names.includes(key));
    equal(storage.capabilities.list === "ordered" ? stayed : sorted(new Set(stayed)), names);
  }),
  "who deletes each page on the way sees every key": needs("list", async (context) => {
    await fill(context, names);
    const seen = new Set<string>();
    for await (const page of pages(context.storage, { limit: 3 })) {
      for (const key of keys(page)) {
        seen.add(key);
        await context.storage.delete(key);
      }
    }
    equal(sorted(seen), names);
    equal(await keysOf(context.storage), [], "What is left");
  }),
  "the key where a page ended may go before the next page": needs(["list", "ordered"], async (context) => {
    await fill(context, names);
    const first = await context.storage.list({ limit: 4 });
    await context.storage.delete("key-3");
    equal(keys(await context.storage.list({ cursor: first.cursor, limit: 100 })), names.slice(4));
  }),
  "pages give every rolled-up prefix once": needs(["list", "ordered"], async (context) => {
    const tree = ["a/1", "a/2", "a/3", "b", "c/1", "c/d/1", "e/1", "f", "g/1", "g/2"];
    await fill(context, tree);
    for (const limit of [1, 2, 3, 7]) {
      equal(await prefixesOf(context.storage, { delimiter: "/", limit }), ["a/", "c/", "e/", "g/"], `The prefixes by ${limit}`);
      equal(await keysOf(context.storage, { delimiter: "/", limit }), ["b", "f"], `The entries by ${limit}`);
    }
  }),
  "entries and prefixes come in one order": needs(["list", "ordered"], async (context) => {
    await fill(context, ["a/1", "b", "c/1", "d", "e/1"]);
    const found: string[] = [];
    for await (const page of pages(context.storage, { delimiter: "/", limit: 1 })) found.push(...page.prefixes, ...keys(page));
    equal(found, ["a/", "b", "c/", "d", "e/"]);
  }),
  "any keys are listed as a model says": needs(["list", "ordered"], async (context) => {
    const part = fc.constantFrom("a", "b", "-", "0", "_", "z1");
    const key = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `${parts.join("/")}.x`);
    await property(
      fc.record({
        keys: fc.uniqueArray(key, { maxLength: 12 }),
        prefix: fc.constantFrom("", "a", "a/", "z", "-/"),
        limit: fc.integer({ min: 1, max: 5 }),
      }),
      async (input) => {
        await context.storage.clear();
        await fill(context, input.keys);
        const { prefix, limit } = input;
        const under = sorted(input.keys.filter((name) => name.startsWith(prefix)));
        equal(await keysOf(context.storage, { prefix, limit }), under, "The keys");
        await listsRolledUp(context.storage, { prefix, limit, delimiter: "/" }, under);
      },
    );
  }),
});

async function listsRolledUp(
  storage: Storage<unknown>,
  options: ListOptions & { readonly prefix: string },
  under: readonly string[],
): Promise<void> {
  const cut = (key: string): number => key.indexOf("/", options.prefix.length) + 1;
  const prefixes = Array.from(new Set(under.filter((key) => cut(key) > 0).map((key) => key.slice(0, cut(key)))));
  equal(await prefixesOf(storage, options), prefixes, "The prefixes");
  equal(
    await keysOf(storage, options),
    under.filter((key) => cut(key) === 0),
    "The entries",
  );
}

async function fill({ storage, value }: ContractContext, keysToPut: readonly string[]): Promise<void> {
  for (const [index, key] of keysToPut.entries()) await storage.put(key, value(index));
}

const keys = (page: { readonly entries: readonly { readonly key: string }[] }): string[] => page.entries.map((entry) => entry.key);
