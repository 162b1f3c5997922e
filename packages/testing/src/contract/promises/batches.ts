import type { Operation } from "@stowage/core";
import assert from "node:assert/strict";
import { codeOf, equal, failure, refuses, rejects } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { damage } from "../samples.ts";
import { etagOf } from "./conditions.ts";

type Step = Operation<unknown>;

export const batches: readonly ContractPromise[] = section(9, {
  "batch puts and deletes all": async ({ storage, value }) => {
    await storage.put("old", value(0));
    const steps: Step[] = [
      { type: "put", key: "one", value: value(0) },
      { type: "delete", key: "old" },
      { type: "put", key: "other", value: value(1) },
      { type: "delete", key: "missing" },
    ];
    equal(await storage.batch(steps), undefined, "What batch gives");
    equal(await storage.get("one"), value(0), "The first");
    equal(await storage.get("other"), value(1), "The second");
    equal(await storage.has("old"), false, "has of what was deleted");
  },
  "a batch of nothing succeeds": async ({ storage }) => {
    equal(await storage.batch([]), undefined, "What batch gives");
  },
  "batch keeps the order of operations on a key": async ({ storage, value }) => {
    await storage.batch([
      { type: "put", key: "put-last", value: value(0) },
      { type: "delete", key: "put-last" },
      { type: "put", key: "deleted-last", value: value(0) },
      { type: "put", key: "put-last", value: value(1) },
      { type: "delete", key: "deleted-last" },
      { type: "put", key: "twice", value: value(0) },
      { type: "put", key: "twice", value: value(1) },
    ]);
    equal(await storage.get("put-last"), value(1), "put, delete, put");
    equal(await storage.get("deleted-last"), undefined, "put, delete");
    equal(await storage.get("twice"), value(1), "put, put");
  },
  "batch takes more operations than anybody sends at once": async ({ storage, value }) => {
    const keys = Array.from({ length: 120 }, (_, index) => `key-${index}`);
    await storage.batch(keys.map((key, index): Step => ({ type: "put", key, value: value(index % 2) })));
    const entries = await storage.getEntries(keys);
    for (const [index, entry] of entries.entries()) equal(entry?.value, value(index % 2), `The value of ${keys[index]}`);
  },
  "batch tries every operation and tells which failed": async ({ storage, value, isBackend }) => {
    const error = await rejects(
      () =>
        storage.batch([
          { type: "put", key: "bad-1", value: undefined },
          { type: "put", key: "good-1", value: value(0) },
          { type: "put", key: "bad-2", value: undefined },
          { type: "put", key: "good-2", value: value(1) },
          { type: "put", key: "bad-3", value: undefined },
        ]),
      "partial",
    );
    const failed = error.failures?.map(({ index, error: reason }) => [index, codeOf(reason)]);
    equal(
      failed,
      [0, 2, 4].map((index) => [index, "invalid-value"]),
      "The failures",
    );
    const keys = error.failures?.map(({ key }) => key);
    if (isBackend) equal(keys, ["bad-1", "bad-2", "bad-3"], "The keys of the failures");
    equal([await storage.get("good-1"), await storage.get("good-2")], [value(0), value(1)], "What was stored");
    equal(await storage.has("bad-1"), false, "has of what failed");
  },
  "batch goes on with a key after one of its operations failed": async ({ storage, value }) => {
    const error = await rejects(
      () =>
        storage.batch([
          { type: "put", key: "key", value: value(0) },
          { type: "put", key: "key", value: undefined },
          { type: "put", key: "key", value: value(1) },
        ]),
      "partial",
    );
    equal(
      error.failures?.map(({ index }) => index),
      [1],
      "The failures",
    );
    equal(await storage.get("key"), value(1));
  },
  "a batch that failed for good is not retryable": async ({ storage, value }) => {
    const error = await rejects(() => storage.batch([{ type: "put", key: "", value: value(0) }]), "partial");
    equal([error.retryable, error.outcome], [false, "none"], "[retryable, outcome]");
  },
  "batch refuses an operation that it does not know, and does nothing": async (context) => {
    const { storage, value } = context;
    const steps = [
      { type: "put", key: "key", value: value(0) },
      { type: "move", key: "key" },
    ] as unknown as readonly Step[];
    await refuses(context, () => storage.batch(steps), "invalid-option");
    equal(await storage.has("key"), false, "has");
  },
  "batch refuses a wrong option, and does nothing": async (context) => {
    const { storage, value } = context;
    const steps: readonly Step[] = [
      { type: "put", key: "key", value: value(0) },
      { type: "put", key: "other", value: value(0), options: { ttl: 1, expiresAt: 1 } },
    ];
    await refuses(context, () => storage.batch(steps), "invalid-option");
    equal(await storage.has("key"), false, "has");
  },
  "a condition inside a batch needs atomic": needs("create", async (context) => {
    const { storage, value } = context;
    const steps: readonly Step[] = [
      { type: "put", key: "key", value: value(0) },
      { type: "put", key: "other", value: value(0), options: { ifNoneMatch: "*" } },
    ];
    await refuses(context, () => storage.batch(steps), "invalid-option");
    await refuses(context, () => storage.batch(steps, { atomic: false }), "invalid-option");
    equal(await storage.has("key"), false, "has");
  }),
  "an atomic batch does all": needs("atomic", async ({ storage, value }) => {
    await storage.put("old", value(0));
    await storage.batch(
      [
        { type: "put", key: "one", value: value(0) },
        { type: "delete", key: "old" },
        { type: "put", key: "one", value: value(1) },
      ],
      { atomic: true },
    );
    equal(await storage.get("one"), value(1));
    equal(await storage.has("old"), false, "has of what was deleted");
  }),
  "an atomic batch with a wrong value does nothing": needs("atomic", async ({ storage, value }) => {
    await storage.put("old", value(0));
    const steps: readonly Step[] = [
      { type: "put", key: "one", value: value(0) },
      { type: "delete", key: "old" },
      { type: "put", key: "two", value: undefined },
    ];
    await rejects(() => storage.batch(steps, { atomic: true }), "invalid-value");
    equal([await storage.has("one"), await storage.has("two")], [false, false], "has of what was put");
    equal(await storage.get("old"), value(0), "What was deleted");
  }),
  "an atomic batch with a wrong key does nothing": needs("atomic", async ({ storage, value }) => {
    const steps: readonly Step[] = [
      { type: "put", key: "one", value: value(0) },
      { type: "put", key: "nul\0", value: value(0) },
    ];
    await rejects(() => storage.batch(steps, { atomic: true }), "invalid-key");
    equal(await storage.has("one"), false, "has");
  }),
  "an atomic batch whose condition fails does nothing": needs(["atomic", "create"], async ({ storage, value }) => {
    const before = await storage.put("taken", value(0));
    const steps: readonly Step[] = [
      { type: "put", key: "one", value: value(0) },
      { type: "put", key: "taken", value: value(1), options: { ifNoneMatch: "*" } },
      { type: "delete", key: "taken" },
    ];
    await rejects(() => storage.batch(steps, { atomic: true }), "precondition-failed");
    equal(await storage.has("one"), false, "has of what was put");
    equal(await storage.get("taken"), value(0), "What was there");
    equal((await storage.head("taken"))?.etag, before.etag, "The etag of what was there");
  }),
  "an atomic batch whose conditions hold does all": needs(["atomic", "create", "replace", "delete"], async ({ storage, value }) => {
    const [replaced, deleted] = [await storage.put("replaced", value(0)), await storage.put("deleted", value(0))];
    await storage.batch(
      [
        { type: "put", key: "created", value: value(0), options: { ifNoneMatch: "*" } },
        { type: "put", key: "replaced", value: value(1), options: { ifMatch: etagOf(replaced) } },
        { type: "delete", key: "deleted", options: { ifMatch: etagOf(deleted) } },
      ],
      { atomic: true },
    );
    equal([await storage.get("created"), await storage.get("replaced")], [value(0), value(1)], "What was put");
    equal(await storage.has("deleted"), false, "has of what was deleted");
  }),
  "of many atomic batches with one condition, one does all and the others nothing": needs(
    ["atomic", "create"],
    async ({ storage, value }) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          storage.batch(
            [
              { type: "put", key: `of-${index}`, value: value(0) },
              { type: "put", key: "lock", value: value(0), options: { ifNoneMatch: "*" } },
            ],
            { atomic: true },
          ),
        ),
      );
      const won = outcomes.map(({ status }) => status === "fulfilled");
      assert.equal(won.filter(Boolean).length, 1, "Exactly one batch must win.");
      equal(await Promise.all(won.map((_, index) => storage.has(`of-${index}`))), won, "Whose entries are there");
    },
  ),
  "batch leaves its operations alone": async ({ storage, value }) => {
    const steps: Step[] = [
      { type: "put", key: "key", value: value(0) },
      { type: "delete", key: "other" },
    ];
    await storage.batch(steps);
    equal(
      steps,
      [
        { type: "put", key: "key", value: value(0) },
        { type: "delete", key: "other" },
      ],
      "The operations",
    );
    steps.length = 0;
    equal(await storage.get("key"), value(0));
  },
  "getEntries answers in the order of the keys": async ({ storage, value }) => {
    for (const [index, key] of ["a", "b", "c"].entries()) await storage.put(key, value(index));
    const entries = await storage.getEntries(["c", "missing", "a", "b"]);
    equal(
      entries.map((entry) => entry?.key),
      ["c", undefined, "a", "b"],
      "The keys",
    );
    equal(entries[0]?.value, value(2), "The first value");
    equal(entries[3]?.value, value(1), "The last value");
  },
  "getEntries of no keys gives nothing": async ({ storage }) => {
    equal(await storage.getEntries([]), []);
  },
  "getEntries answers a key as often as it is asked for, each time with a value of its own": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const entries = await storage.getEntries(["key", "missing", "key", "key"]);
    equal(
      entries.map((entry) => entry?.key),
      ["key", undefined, "key", "key"],
      "The keys",
    );
    damage(entries[0]?.value);
    equal(entries[2]?.value, value(0), "The second answer");
    equal(entries[3]?.value, value(0), "The third answer");
  },
  "getEntries takes more keys than anybody asks for at once": async ({ storage, value }) => {
    const keys = Array.from({ length: 120 }, (_, index) => `key-${index}`);
    await storage.batch(keys.filter((_, index) => index % 2 === 0).map((key): Step => ({ type: "put", key, value: value(0) })));
    const entries = await storage.getEntries(keys);
    equal(
      entries.map((entry) => entry?.key),
      keys.map((key, index) => (index % 2 === 0 ? key : undefined)),
      "The keys",
    );
  },
  "getEntries with a wrong key rejects": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await rejects(() => storage.getEntries(["key", "nul\0"]), "invalid-key");
    equal((await failure(() => storage.getEntries([""]))) instanceof Error, true, "Whether it rejects");
  },
  "getEntries leaves its keys alone": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const keys = ["key", "missing"];
    await storage.getEntries(keys);
    equal(keys, ["key", "missing"]);
  },
});
