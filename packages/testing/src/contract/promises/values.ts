import assert from "node:assert/strict";
import { codeOf, equal, refuses, rejects } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { section } from "../promise.ts";
import { copyOf, damage } from "../samples.ts";

/** What holds for values of any type. */
export const values: readonly ContractPromise[] = section(3, {
  "get gives back what was put": async ({ storage, value }) => {
    for (const index of [0, 1, 2]) {
      await storage.put("key", value(index));
      equal(await storage.get("key"), value(index));
    }
  },
  "put replaces the whole value": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await storage.put("key", value(1));
    equal(await storage.get("key"), value(1));
    await storage.put("key", value(0));
    equal(await storage.get("key"), value(0));
  },
  "changing a value after put settled changes nothing stored": async ({ storage, value }) => {
    const given = value(0);
    await storage.put("key", given);
    damage(given);
    equal(await storage.get("key"), value(0));
  },
  "changing a value after batch settled changes nothing stored": async ({ storage, value }) => {
    const given = value(0);
    await storage.batch([{ type: "put", key: "key", value: given }]);
    damage(given);
    equal(await storage.get("key"), value(0));
  },
  "put leaves the value that it is given alone": async ({ storage, value }) => {
    const given = value(0);
    const before = copyOf(given);
    const putting = storage.put("key", given);
    equal(given, before, "The value while put runs");
    await putting;
    equal(given, before, "The value after put");
  },
  "changing what get gave changes nothing stored": async ({ storage, value }) => {
    await storage.put("key", value(0));
    damage(await storage.get("key"));
    equal(await storage.get("key"), value(0));
  },
  "changing what getEntry gave changes nothing stored": async ({ storage, value }) => {
    await storage.put("key", value(0));
    damage((await storage.getEntry("key"))?.value);
    equal(await storage.get("key"), value(0));
  },
  "changing what getEntries gave changes nothing stored": async ({ storage, value }) => {
    await storage.put("key", value(0));
    damage((await storage.getEntries(["key"]))[0]?.value);
    equal(await storage.get("key"), value(0));
  },
  "two who get one value do not share it": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const [one, other] = await Promise.all([storage.get("key"), storage.get("key")]);
    damage(one);
    equal(other, value(0), "The value that the other one got");
  },
  "one value under two keys is two values": async ({ storage, value }) => {
    const given = value(0);
    await Promise.all([storage.put("one", given), storage.put("other", given)]);
    damage(await storage.get("one"));
    await storage.put("one", value(1));
    equal(await storage.get("other"), value(0));
  },
  "undefined is refused as a value": async (context) => {
    const { storage, value } = context;
    await storage.put("key", value(0));
    await refuses(context, () => storage.put("key", undefined), "invalid-value");
    equal(await storage.get("key"), value(0), "The value that was there");
    await rejects(() => storage.put("new", undefined), "invalid-value");
    equal(await storage.has("new"), false, "has of the new key");
  },
  "undefined is refused inside a batch": async ({ storage, value }) => {
    const error = await rejects(
      () =>
        storage.batch([
          { type: "put", key: "one", value: undefined },
          { type: "put", key: "other", value: value(0) },
        ]),
      "partial",
      "invalid-value",
    );
    const code: unknown = error.code === "partial" ? codeOf(error.failures?.[0]?.error) : error.code;
    assert.equal(code, "invalid-value", "The failure must be invalid-value.");
    equal(await storage.has("one"), false, "has of the refused key");
  },
  "options that are frozen are enough": async ({ storage, value, capabilities }) => {
    await storage.put("key", value(0), Object.freeze({}));
    await storage.get("key", Object.freeze({}));
    await storage.head("key", Object.freeze({ signal: undefined }));
    await storage.getEntries(Object.freeze(["key"]), Object.freeze({}));
    await storage.batch(Object.freeze([Object.freeze({ type: "put", key: "key", value: value(1) } as const)]), Object.freeze({}));
    if (capabilities.list !== "none") await storage.list(Object.freeze({ prefix: "k", limit: 5 }));
    equal(await storage.get("key"), value(1));
  },
  "an option that is undefined is an option that is not there": async ({ storage, value }) => {
    const nothing = {
      signal: undefined,
      ttl: undefined,
      expiresAt: undefined,
      metadata: undefined,
      ifMatch: undefined,
      ifNoneMatch: undefined,
    };
    await storage.put("key", value(0), nothing);
    await storage.put("key", value(1), nothing);
    await storage.batch([{ type: "put", key: "other", value: value(1), options: nothing }], { atomic: undefined, signal: undefined });
    equal([await storage.get("key"), await storage.get("other")], [value(1), value(1)]);
    await storage.delete("key", { ifMatch: undefined, signal: undefined });
    equal(await storage.has("key"), false, "has after delete");
  },
});
