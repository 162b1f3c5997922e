import assert from "node:assert/strict";
import type { Capabilities } from "@stowage/core";
import { isByteStorage } from "@stowage/core";
import { equal, promptly, rejects } from "../assertions.ts";
import { operations } from "../operations.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect } from "../reading.ts";
import { bytesOf } from "../samples.ts";

export const lifecycle: readonly ContractPromise[] = section(12, {
  "a storage has a name": async ({ storage }) => {
    assert.match(storage.name, /^\S+$/, "The name must be one word.");
  },
  "a storage says what it stands on": async ({ storage }) => {
    assert.ok(Array.isArray(storage.inner), "inner must be an array.");
    for (const inner of storage.inner) assert.ok(typeof Reflect.get(inner, "get") === "function", "inner must hold storages.");
  },
  "a storage says what it can do, always the same": async ({ storage, value }) => {
    const before = structuredClone(storage.capabilities);
    for (const [name, allowed] of Object.entries(words)) {
      const word: unknown = Reflect.get(before, name);
      assert.ok(allowed.includes(word), `capabilities.${name} must be one of ${allowed.join(", ")}, got ${String(word)}.`);
    }
    assert.ok(Array.isArray(before.conditions), "capabilities.conditions must be an array.");
    for (const condition of before.conditions as readonly string[]) {
      assert.ok(["create", "replace", "delete", "stream"].includes(condition), `"${condition}" is no condition.`);
    }
    await storage.put("key", value(0));
    await storage.get("key");
    equal(structuredClone(storage.capabilities), before, "capabilities");
  },
  "details are options and counters that can be printed": async ({ storage, value }) => {
    const check = (): void => {
      const { options, stats } = storage.details();
      assert.ok(typeof options === "object" && options !== null, "details must have options.");
      for (const [name, count] of Object.entries(stats)) assert.ok(typeof count === "number", `The counter "${name}" must be a number.`);
      JSON.stringify(options);
    };
    check();
    await storage.put("key", value(0));
    check();
    await storage.close();
    check();
  },
  "many first calls at once all work": async ({ storage, value }) => {
    const puts = Array.from({ length: 16 }, (_, index) => storage.put(`key-${index}`, value(index)));
    const gets = Array.from({ length: 16 }, (_, index) => storage.get(`missing-${index}`));
    await Promise.all([...puts, ...gets]);
    for (let index = 0; index < 16; index++) equal(await storage.get(`key-${index}`), value(index), `The value of key-${index}`);
  },
  "flush ends, before and after there is something": async (context) => {
    const { storage, value } = context;
    equal(await promptly(context, "flush", storage.flush()), undefined, "What flush gives");
    await storage.put("key", value(0));
    equal(await promptly(context, "flush", storage.flush()), undefined, "What flush gives");
    equal(await storage.get("key"), value(0));
  },
  "close ends and gives nothing": async (context) => {
    await context.storage.put("key", context.value(0));
    equal(await promptly(context, "close", context.storage.close()), undefined, "What close gives");
  },
  "a storage that was never used can be closed": async (context) => {
    equal(await promptly(context, "close", context.storage.close()), undefined, "What close gives");
  },
  "close may be called again, and at the same time": async (context) => {
    const { storage } = context;
    await promptly(context, "close", Promise.all([storage.close(), storage.close()]));
    await promptly(context, "close", storage.close());
  },
  "await using closes": async (context) => {
    await promptly(context, "Symbol.asyncDispose", Promise.resolve(context.storage[Symbol.asyncDispose]()));
    await rejects(() => context.storage.get("key"), "closed");
  },
  ...closedOperations(),
  "close waits for what is running": async (context) => {
    const { storage, value } = context;
    const running = [storage.put("one", value(0)), storage.put("other", value(1)), storage.get("one")];
    let settled = 0;
    for (const promise of running)
      void promise.then(
        () => settled++,
        () => settled++,
      );
    await promptly(context, "close", storage.close());
    equal(settled, running.length, "The calls that were settled when close ended");
    await Promise.all(running);
  },
  "close waits for all steps of a call that is made of several": async (context) => {
    const { storage, value } = context;
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    for (const key of keys.slice(0, 20)) await storage.put(`old/${key}`, value(0));
    const running: Promise<unknown>[] = [
      storage.batch(keys.map((key) => ({ type: "put", key, value: value(0) }))),
      storage.getEntries(keys),
      ...(storage.capabilities.list === "none" ? [] : [storage.clear({ prefix: "old/" })]),
      ...(isByteStorage(storage) && storage.capabilities.streams !== "none" ? [storage.write("streamed", new Blob(["text"]))] : []),
    ];
    const settled = Promise.allSettled(running);
    await promptly(context, "close", storage.close());
    for (const result of await promptly(context, "A call", settled)) if (result.status === "rejected") throw result.reason;
  },
  "close ends while a stream that is read half-way was cancelled": needs("streams", async (context) => {
    await context.bytes.put("key", bytesOf(300_000));
    const reader = (await context.bytes.read("key"))!.value.getReader();
    await reader.read();
    await reader.cancel();
    await promptly(context, "close", context.storage.close());
  }),
  "what was put is there for the next storage over the same data": needs("outlives", async (context) => {
    const { storage, value } = context;
    await storage.put("key", value(0));
    await storage.put("gone", value(0));
    await storage.put("replaced", value(0));
    await storage.put("replaced", value(1));
    await storage.delete("gone");
    await storage.close();
    const another = await context.reopen();
    equal(await another.get("key"), value(0));
    equal(await another.get("replaced"), value(1));
    equal(await another.has("gone"), false, "has of what was deleted");
  }),
  "what was written as a stream is there for the next storage over the same data": needs(["outlives", "streams"], async (context) => {
    await context.bytes.write("key", new Blob([bytesOf(100_000)]));
    await context.storage.close();
    equal(await (await context.reopen()).get("key"), bytesOf(100_000));
  }),
  "metadata and the end of an entry are there for the next storage": needs(["outlives", "metadata", "ttl"], async (context) => {
    const { storage, value, now } = context;
    const expiresAt = now() + 60_000;
    await storage.put("key", value(0), { metadata: { author: "Ada" }, expiresAt });
    await storage.put("short", value(0), { ttl: 100 });
    await storage.close();
    await context.advance(100);
    const another = await context.reopen();
    const info = await another.head("key");
    equal([info?.expiresAt, { ...info?.metadata }], [expiresAt, { author: "Ada" }], "[expiresAt, metadata]");
    equal(await another.has("short"), false, "has of what expired meanwhile");
  }),
  "an etag is the same for the next storage over the same data": needs(["outlives", "replace"], async (context) => {
    const { etag } = await context.storage.put("key", context.value(0));
    await context.storage.close();
    const another = await context.reopen();
    equal((await another.head("key"))?.etag, etag, "The etag");
    await another.put("key", context.value(1), { ifMatch: etag });
    equal(await another.get("key"), context.value(1));
  }),
  "what one storage puts another one sees, where data is shared": needs("outlives", async (context) => {
    const { storage, value, capabilities } = context;
    await storage.put("key", value(0));
    if (!capabilities.shared) await storage.close();
    const another = await context.reopen();
    equal(await another.get("key"), value(0));
    await another.put("key", value(1));
    if (capabilities.shared) equal(await storage.get("key"), value(1), "What the first one sees");
    else equal(await another.get("key"), value(1), "What the second one sees");
  }),
  "a stream that is open when another is read does not end with it": needs("streams", async ({ bytes }) => {
    await bytes.put("key", bytesOf(200_000));
    const [one, other] = [await bytes.read("key"), await bytes.read("key")];
    await one?.value.cancel();
    equal(await collect(other), bytesOf(200_000));
  }),
});

const words: { readonly [Name in Exclude<keyof Capabilities, "conditions">]: readonly unknown[] } = {
  ttl: ["native", "lazy", false],
  metadata: [true, false],
  list: ["ordered", "unordered", "none"],
  atomicBatch: [true, false],
  anyKey: [true, false],
  streams: ["native", "buffered", "none"],
  durability: ["memory", "process", "power"],
  shared: [true, false],
};

/** One promise for each operation. */
function closedOperations(): Record<string, Check> {
  return Object.fromEntries(
    operations.map((operation) => [
      `${operation.name} after close is refused`,
      needs(operation.needs, async (context: ContractContext) => {
        await context.storage.put("key", context.value(0));
        await context.storage.close();
        const error = await rejects(() => operation.start(context, "key"), "closed");
        equal(error.retryable, false, "retryable");
      }),
    ]),
  );
}
