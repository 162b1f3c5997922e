import assert from "node:assert/strict";
import { call, equal } from "../assertions.ts";
import { collect } from "../reading.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";

export const missing: readonly ContractPromise[] = section(1, {
  "get gives undefined where nothing is": async ({ storage }) => {
    equal(await call(() => storage.get("missing")), undefined);
  },
  "getEntry gives undefined where nothing is": async ({ storage }) => {
    equal(await call(() => storage.getEntry("missing")), undefined);
  },
  "head gives undefined where nothing is": async ({ storage }) => {
    equal(await call(() => storage.head("missing")), undefined);
  },
  "has gives false where nothing is": async ({ storage }) => {
    equal(await call(() => storage.has("missing")), false);
  },
  "getEntries gives undefined where nothing is": async ({ storage }) => {
    equal(await call(() => storage.getEntries(["missing", "also-missing"])), [undefined, undefined]);
  },
  "read gives undefined where nothing is": needs("streams", async ({ bytes }) => {
    equal(await call(() => bytes.read("missing")), undefined);
    equal(await call(() => bytes.read("missing", { start: 1, end: 2 })), undefined);
  }),
  "every way to look agrees on an entry that is there": async ({ storage, value }) => {
    await call(() => storage.put("key", value(0)));
    equal(await storage.get("key"), value(0), "get");
    equal((await storage.getEntry("key"))?.value, value(0), "getEntry");
    equal((await storage.getEntries(["key"]))[0]?.value, value(0), "getEntries");
    equal((await storage.head("key"))?.key, "key", "The key of head");
    equal(await storage.has("key"), true, "has");
  },
  "read gives what get gives": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    equal(await collect(await bytes.read("key")), value(0));
  }),
  "every way to look agrees on an entry that is gone": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await storage.delete("key");
    equal(await storage.get("key"), undefined, "get");
    equal(await storage.getEntry("key"), undefined, "getEntry");
    equal(await storage.getEntries(["key"]), [undefined], "getEntries");
    equal(await storage.head("key"), undefined, "head");
    equal(await storage.has("key"), false, "has");
  },
  "looking for what is missing does not make it": async ({ storage, value }) => {
    await storage.get("missing");
    await storage.head("missing");
    await storage.getEntries(["missing"]);
    await storage.put("key", value(0));
    equal(await storage.has("missing"), false, "has");
  },
  "put gives what head tells afterwards": async ({ storage, value }) => {
    const info = await storage.put("key", value(0));
    const head = await storage.head("key");
    equal(info.key, "key", "The key of put");
    assert.ok(head !== undefined, "head must find what was put.");
    for (const name of ["size", "etag", "modifiedAt"] as const) {
      if (info[name] !== undefined && head[name] !== undefined) equal(info[name], head[name], name);
    }
    assert.ok(!("value" in info), "put must not give the value back.");
  },
  "getEntry tells what head tells": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const [entry, head] = [await storage.getEntry("key"), await storage.head("key")];
    assert.ok(entry !== undefined && head !== undefined, "Both must find what was put.");
    equal(entry.key, "key", "The key of getEntry");
    for (const name of ["size", "etag", "modifiedAt"] as const) {
      if (entry[name] !== undefined && head[name] !== undefined) equal(entry[name], head[name], name);
    }
    assert.ok(!("value" in head), "head must not give the value.");
  },
});
