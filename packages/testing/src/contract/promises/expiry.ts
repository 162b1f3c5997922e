import assert from "node:assert/strict";
import type { PutOptions } from "@stowage/core";
import { equal, refuses } from "../assertions.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect, keysOf } from "../reading.ts";
import { beforeTheEnd } from "../time.ts";
import { trackedSource } from "../sources.ts";

const century = 100 * 365 * 24 * 60 * 60 * 1000;

export const expiry: readonly ContractPromise[] = section(6, {
  ...looks(),
  "an entry is there until the moment of expiresAt, and gone at it": needs("ttl", async (context) => {
    const { storage, value, now, advance, advanceWithin } = context;
    const { found, left } = await beforeTheEnd(context, async (ttl) => {
      await storage.put("key", value(0), { expiresAt: now() + ttl });
      const rest = await advanceWithin(ttl);
      return { found: await storage.get("key"), left: rest };
    });
    equal(found, value(0), "get before the end");
    await advance(left);
    equal(await storage.get("key"), undefined, "get at the end");
  }),
  "a listing with info leaves out what expired": needs(["ttl", "list"], async ({ storage, value, advance }) => {
    await storage.put("short", value(0), { ttl: 100 });
    await storage.put("long", value(0), { ttl: 10_000 });
    await storage.put("always", value(0));
    await advance(100);
    equal(await keysOf(storage, { info: true }), ["always", "long"]);
  }),
  "a listing leaves out what expired, where expiry is native": needs(["ttl", "list"], async ({ storage, value, advance, capabilities }) => {
    await storage.put("short", value(0), { ttl: 100 });
    await storage.put("always", value(0));
    await advance(100);
    const listed = await keysOf(storage);
    assert.ok(listed.includes("always"), "The listing must give what did not expire.");
    if (capabilities.ttl === "native") equal(listed, ["always"], "The listing");
  }),
  "a ttl of one millisecond works": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 1 });
    await advance(1);
    equal(await storage.get("key"), undefined);
  }),
  "a ttl of a hundred years works": needs("ttl", async ({ storage, value, advance }) => {
    for (const ttl of [century, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1]) {
      await storage.put("key", value(0), { ttl });
      await advance(5);
      equal(await storage.get("key"), value(0), `get with a ttl of ${ttl}`);
    }
  }),
  "a ttl need not be a whole number": needs("ttl", async (context) => {
    const { storage, value, advance } = context;
    const { found, left } = await beforeTheEnd(context, async (ttl) => {
      await storage.put("key", value(0), { ttl: ttl - 0.5 });
      return { found: await storage.get("key"), left: ttl };
    });
    equal(found, value(0), "get before the end");
    await advance(left + 1);
    equal(await storage.get("key"), undefined, "get after the end");
  }),
  "the end of an entry is told": needs("ttl", async ({ storage, value, now }) => {
    const expiresAt = now() + 60_000;
    const info = await storage.put("key", value(0), { expiresAt });
    if (info.expiresAt !== undefined) equal(info.expiresAt, expiresAt, "put");
    equal((await storage.head("key"))?.expiresAt, expiresAt, "head");
    equal((await storage.getEntry("key"))?.expiresAt, expiresAt, "getEntry");
  }),
  "a ttl is told as the moment of its end": needs("ttl", async ({ storage, value, now }) => {
    const earliest = now() + 60_000;
    await storage.put("key", value(0), { ttl: 60_000 });
    const latest = now() + 60_000;
    const told = (await storage.head("key"))?.expiresAt;
    assert.ok(told !== undefined && told >= earliest && told <= latest, `head must tell ${earliest} to ${latest}, got ${told}.`);
  }),
  "an entry without an end tells none": async ({ storage, value }) => {
    await storage.put("key", value(0));
    equal((await storage.head("key"))?.expiresAt, undefined);
  },
  "a put without ttl takes the end away": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 100 });
    await storage.put("key", value(1));
    await advance(200);
    equal(await storage.get("key"), value(1));
    equal((await storage.head("key"))?.expiresAt, undefined, "expiresAt");
  }),
  "a put replaces the end, sooner or later": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("longer", value(0), { ttl: 50 });
    await storage.put("longer", value(0), { ttl: 5000 });
    await storage.put("shorter", value(0), { ttl: 5000 });
    await storage.put("shorter", value(0), { ttl: 50 });
    await advance(100);
    equal([await storage.has("longer"), await storage.has("shorter")], [true, false], "has");
  }),
  "the end of an entry that was deleted does not touch the next one": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 100 });
    await storage.delete("key");
    await storage.put("key", value(1));
    await advance(200);
    equal(await storage.get("key"), value(1));
  }),
  "who reads an expired entry never removes a newer one": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 100 });
    await advance(100);
    await Promise.all([storage.get("key"), storage.head("key"), storage.put("key", value(1)), storage.get("key"), storage.has("key")]);
    equal(await storage.get("key"), value(1));
  }),
  "reading an entry does not prolong it": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 100 });
    for (let step = 0; step < 4; step++) {
      await storage.get("key");
      await storage.head("key");
      await advance(25);
    }
    equal(await storage.has("key"), false, "has");
  }),
  "an expiresAt in the past is a delete": needs("ttl", async ({ storage, value, now }) => {
    await storage.put("key", value(0));
    await storage.put("key", value(1), { expiresAt: now() - 1 });
    await storage.put("new", value(1), { expiresAt: now() });
    await storage.put("ancient", value(1), { expiresAt: 1 });
    equal(await storage.getEntries(["key", "new", "ancient"]), [undefined, undefined, undefined]);
  }),
  "batch expires what it puts": needs("ttl", async (context) => {
    const { storage, value, now, advance } = context;
    const { found, left } = await beforeTheEnd(context, async (ttl) => {
      await storage.put("gone", value(0));
      await storage.batch([
        { type: "put", key: "short", value: value(0), options: { ttl } },
        { type: "put", key: "until", value: value(0), options: { expiresAt: now() + ttl } },
        { type: "put", key: "gone", value: value(1), options: { expiresAt: now() - 1 } },
        { type: "put", key: "always", value: value(0) },
      ]);
      return { found: await Promise.all(["short", "until", "gone", "always"].map((key) => storage.has(key))), left: ttl };
    });
    equal(found, [true, true, false, true], "has before");
    await advance(left);
    equal(await Promise.all(["short", "until", "always"].map((key) => storage.has(key))), [false, false, true], "has after");
  }),
  "write expires what it stores": needs(["ttl", "streams"], async (context) => {
    const { bytes, now, advance } = context;
    const { found, left } = await beforeTheEnd(context, async (ttl) => {
      await bytes.write("short", new Blob(["text"]), { ttl });
      await bytes.write("until", new Blob(["text"]), { expiresAt: now() + ttl });
      return { found: [await bytes.has("short"), await bytes.has("until")], left: ttl };
    });
    equal(found, [true, true], "has before");
    await advance(left);
    equal([await bytes.has("short"), await bytes.has("until")], [false, false], "has after");
  }),
  "a stream of an entry that expires meanwhile is whole or fails": needs(["ttl", "streams"], async ({ bytes, value, advance }) => {
    await bytes.put("key", value(0) as Uint8Array, { ttl: 100 });
    const entry = await bytes.read("key");
    await advance(100);
    const found = await collect(entry).catch((error: unknown) => error);
    if (!(found instanceof Error)) equal(found, value(0));
  }),
  "a ttl that is no finite positive number is refused": needs("ttl", async (context) => {
    for (const ttl of [0, -1, Number.NaN, Infinity, -Infinity, "100", null]) await refusesTime(context, { ttl: ttl as number });
  }),
  "an expiresAt that is no finite positive number is refused": needs("ttl", async (context) => {
    for (const expiresAt of [0, -1, Number.NaN, Infinity, -Infinity, "100", new Date()]) {
      await refusesTime(context, { expiresAt: expiresAt as number });
    }
  }),
  "ttl and expiresAt together are refused": needs("ttl", async (context) => {
    await refusesTime(context, { ttl: 100, expiresAt: context.now() + 100 });
  }),
  "write refuses a wrong ttl and cancels its source": needs(["ttl", "streams"], async (context) => {
    for (const options of [{ ttl: 0 }, { ttl: 1, expiresAt: context.now() + 1 }, { expiresAt: Number.NaN }]) {
      const source = trackedSource([Uint8Array.of(1)]);
      await refuses(context, () => context.bytes.write("key", source.stream(), options), "invalid-option");
      assert.ok(source.cancelled, "A refused write cancels its source.");
    }
    equal(await context.storage.has("key"), false, "has");
  }),
});

/** One promise for each way to look at an entry. */
function looks(): Record<string, Check> {
  const found: Record<string, (context: ContractContext) => Promise<boolean>> = {
    get: async ({ storage }) => (await storage.get("key")) !== undefined,
    getEntry: async ({ storage }) => (await storage.getEntry("key")) !== undefined,
    getEntries: async ({ storage }) => (await storage.getEntries(["key"]))[0] !== undefined,
    head: async ({ storage }) => (await storage.head("key")) !== undefined,
    has: async ({ storage }) => await storage.has("key"),
  };
  const checks = Object.entries(found).map(([name, look]): [string, Check] => [
    `${name} finds an entry until its ttl ends, and not from then on`,
    needs("ttl", (context) => livesAndEnds(context, look)),
  ]);
  const read = async ({ bytes }: ContractContext): Promise<boolean> => {
    const entry = await bytes.read("key");
    await entry?.value.cancel();
    return entry !== undefined;
  };
  return {
    ...Object.fromEntries(checks),
    "read finds an entry until its ttl ends, and not from then on": needs(["ttl", "streams"], (context) => livesAndEnds(context, read)),
  };
}

async function livesAndEnds(context: ContractContext, look: (context: ContractContext) => Promise<boolean>): Promise<void> {
  const { found, left } = await beforeTheEnd(context, async (ttl) => {
    await context.storage.put("key", context.value(0), { ttl });
    const atTheStart = await look(context);
    const rest = await context.advanceWithin(ttl);
    return { found: [atTheStart, await look(context)], left: rest };
  });
  equal(found, [true, true], "Whether it is found at the start, and before the end");
  await context.advance(left);
  equal(await look(context), false, "Whether it is found at the end");
}

async function refusesTime(context: ContractContext, options: PutOptions): Promise<void> {
  const { storage, value } = context;
  await refuses(context, () => storage.put("key", value(0), options), "invalid-option");
  equal(await storage.has("key"), false, "has");
}
