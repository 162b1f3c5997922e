import assert from "node:assert/strict";
import type { StorageError } from "@stowage/core";
import { failure, rejects, rejectsWith, turn } from "../assertions.ts";
import { operations } from "../operations.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { abilities } from "../abilities.ts";

/** A key that nobody writes by accident. */
const needle = "kr7-needle-xq";

export const errors: readonly ContractPromise[] = section(1, {
  "an error tells its code, its operation, its storage and what may have happened": async (context) => {
    for (const error of await failures(context)) {
      assert.ok(typeof error.storage === "string" && error.storage !== "", `The error "${error.code}" must name its storage.`);
      assert.ok(isOperation(error.operation), `The error "${error.code}" must name its operation, got ${error.operation}.`);
      assert.equal(error.retryable, false, `The error "${error.code}" of a wrong call is not retryable.`);
      assert.equal(error.outcome, "none", `The error "${error.code}" of a refused call had no effect.`);
    }
  },
  "an error about one entry tells its key": needs("create", async ({ storage, value }) => {
    await storage.put(needle, value(0));
    const error = await rejects(() => storage.put(needle, value(1), { ifNoneMatch: "*" }), "precondition-failed");
    assert.ok(error.key?.includes(needle), "The error must have the key.");
  }),
  "the message of an error keeps the key out": async (context) => {
    for (const error of await failures(context)) {
      assert.ok(error.message.length > 10, `The error "${error.code}" must say a sentence.`);
      assert.ok(!error.message.includes(needle), `The message of "${error.code}" must not hold the key: ${error.message}`);
    }
  },
  "the message of an error keeps the value out": async ({ storage }) => {
    const secret = "sec-ret-78c1";
    const value = Object.assign(() => secret, { toString: () => secret });
    const error: unknown = await failure(() => storage.put("key", Symbol(secret))).catch(() => undefined);
    const other: unknown = await failure(() => storage.put("key", value)).catch(() => undefined);
    for (const found of [error, other]) assert.ok(!String(found).includes(secret), "An error must not hold the value.");
  },
  "a failed call leaves no rejection unhandled": async (context) => {
    const { storage, value } = context;
    await failures(context);
    await failure(() => storage.batch([{ type: "put", key: "", value: value(0) }]));
    await failure(() => storage.getEntries(["key", "", "other"]));
    await rejectsWith(() => storage.put("key", value(0), { signal: AbortSignal.abort(needle) }), needle);
    await turn();
  },
});

/** The errors of wrong calls that every storage refuses, and of those it must refuse for lack of an ability. */
async function failures({ storage, value }: ContractContext): Promise<readonly StorageError[]> {
  const found = [
    await rejects(() => storage.get(`${needle}\0`), "invalid-key"),
    await rejects(() => storage.put(`${needle}\0`, value(0)), "invalid-key"),
    await rejects(() => storage.put(needle, undefined), "invalid-value"),
    await rejects(() => storage.put(needle, value(0), { ttl: -1 }), "invalid-option", "unsupported"),
  ];
  if (abilities.create.isPresent(storage)) {
    await storage.put(needle, value(0));
    found.push(await rejects(() => storage.put(needle, value(1), { ifNoneMatch: "*" }), "precondition-failed"));
  } else {
    found.push(await rejects(() => storage.put(needle, value(0), { ifNoneMatch: "*" }), "unsupported"));
  }
  return found;
}

function isOperation(name: string | undefined): boolean {
  return name === undefined ? false : operations.some((operation) => operation.name === name);
}
