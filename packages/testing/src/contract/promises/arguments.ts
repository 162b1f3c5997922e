import assert from "node:assert/strict";
import type { ErrorCode, OperationName } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { AbilityName } from "../abilities.ts";
import { call, describe, equal, refuses } from "../assertions.ts";
import { operations } from "../operations.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { trackedSource } from "../sources.ts";

const onlySignal: ReadonlySet<string> = new Set(["get", "getEntry", "getEntries", "head", "has", "flush"]);

/** In place of options. */
const noOptions: readonly unknown[] = [null, 5, "key", true];

/** What callers hand in whom no compiler warns. */
export const wrongArguments: readonly ContractPromise[] = section(1, {
  ...refusals(),
  "write refuses what are no options, and cancels its source": needs("streams", async (context) => {
    for (const options of noOptions) {
      const source = trackedSource([Uint8Array.of(1)]);
      await told(
        options,
        refuses(context, () => context.bytes.write("key", source.stream(), options as never), "invalid-option"),
      );
      assert.ok(source.cancelled, "A refused write cancels its source.");
    }
    equal(await context.bytes.has("key"), false, "has");
  }),
  "a call whose only option is a signal fails with nothing but a StorageError, whatever its options are": async (context) => {
    await context.storage.put("key", context.value(0));
    for (const operation of operations.filter(({ name }) => onlySignal.has(name))) {
      for (const options of noOptions) {
        const error: unknown = await call(() => operation.start(context, "key", options as never)).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error === undefined || StorageError.is(error), `It must be a StorageError, got ${describe(error)}.`);
      }
    }
  },
});

interface Wrong {
  readonly operation: OperationName;
  readonly what: string;
  readonly needs?: AbilityName;
  readonly code: ErrorCode;
  readonly given: readonly unknown[];
  /** Calls the operation, which must change nothing. */
  readonly start: (context: ContractContext, given: never) => Promise<unknown>;
}

/** One promise for each row. */
function refusals(): Record<string, Check> {
  const options = { what: "are no options", code: "invalid-option", given: noOptions } as const;
  const rows: readonly Wrong[] = [
    {
      operation: "getEntries",
      what: "is no array of keys",
      code: "invalid-key",
      given: [undefined, null, 5, "key", { length: 1 }],
      start: ({ storage }, keys) => storage.getEntries(keys),
    },
    { ...options, operation: "list", needs: "list", start: ({ storage }, wrong) => storage.list(wrong) },
    { ...options, operation: "put", start: ({ storage, value }, wrong) => storage.put("key", value(1), wrong) },
    { ...options, operation: "delete", start: ({ storage }, wrong) => storage.delete("key", wrong) },
    { ...options, operation: "read", needs: "streams", start: ({ bytes }, wrong) => bytes.read("key", wrong) },
    {
      ...options,
      operation: "batch",
      start: ({ storage, value }, wrong) => storage.batch([{ type: "put", key: "key", value: value(1) }], wrong),
    },
    {
      operation: "batch",
      what: "is no array of operations",
      code: "invalid-option",
      given: [undefined, null, 5, "key", {}, [null], [undefined], [5], ["key"], [{}], [{ type: "delete", key: "key" }, null]],
      start: ({ storage }, steps) => storage.batch(steps),
    },
    {
      ...options,
      operation: "batch",
      what: "are no options of an operation",
      start: ({ storage, value }, wrong) =>
        storage.batch([
          { type: "delete", key: "key" },
          { type: "put", key: "key", value: value(1), options: wrong },
        ]),
    },
    { ...options, operation: "clear", needs: "list", start: ({ storage }, wrong) => storage.clear(wrong) },
    {
      operation: "clear",
      what: "is no prefix",
      needs: "list",
      code: "invalid-option",
      given: [null, 5, ["key"], "\ud800"],
      start: ({ storage }, prefix) => storage.clear({ prefix }),
    },
  ];
  return Object.fromEntries(
    rows.map(({ operation, what, needs: ability, code, given, start }) => [
      `${operation} refuses what ${what}, and changes nothing`,
      needs(ability === undefined ? [] : [ability], async (context: ContractContext) => {
        await context.storage.put("key", context.value(0));
        for (const wrong of given)
          await told(
            wrong,
            refuses(context, () => start(context, wrong as never), code),
          );
        equal(await context.storage.get("key"), context.value(0), "What was there before");
      }),
    ]),
  );
}

/** Says what was handed in where it was not refused as it must be. */
async function told(given: unknown, refused: Promise<unknown>): Promise<void> {
  await refused.catch((error: unknown) => {
    throw new assert.AssertionError({ message: `Given ${describe(given)}: ${(error as Error).message}` });
  });
}
