import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import type { OperationCall } from "../operations.ts";
import { operations } from "../operations.ts";
import { call, describe, equal, failure, promptly, rejectsWith, turn } from "../assertions.ts";
import type { Check, ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect, keysOf } from "../reading.ts";
import { bytesOf } from "../samples.ts";
import { trackedSource } from "../sources.ts";

/** A reason that no storage makes up by itself. */
const reason = { because: "the caller went away" };

export const signals: readonly ContractPromise[] = section(10, {
  ...forEach((name) => `${name} with an aborted signal rejects with the reason as it is`, rejectsAborted),
  ...forEach((name) => `${name} that is aborted while it runs ends with its result or the reason`, abortedAtEveryStage),
  ...forEach((name) => `${name} leaves nothing on its signal`, leavesNoListener),
  "the reason of an abort may be anything": async ({ storage, value }) => {
    for (const given of ["text", 0, null, new TypeError("wrong"), new DOMException("gone", "AbortError")]) {
      await rejectsWith(() => storage.get("key", { signal: AbortSignal.abort(given) }), given);
      await rejectsWith(() => storage.put("key", value(0), { signal: AbortSignal.abort(given) }), given);
    }
    const plain = AbortSignal.abort();
    await rejectsWith(() => storage.get("key", { signal: plain }), plain.reason);
  },
  "one caller's abort does not end another's call": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const control = new AbortController();
    const mine = storage.get("key", { signal: control.signal }).catch(() => undefined);
    const others = [storage.get("key"), storage.get("key", { signal: new AbortController().signal }), storage.getEntry("key")] as const;
    control.abort(reason);
    await mine;
    const [one, two, three] = await Promise.all(others);
    equal([one, two, three?.value], [value(0), value(0), value(0)], "What the others got");
  },
  "a write with an aborted signal cancels its source": needs("streams", async ({ bytes }) => {
    for (const form of ["stream", "iterable"] as const) {
      const source = trackedSource([bytesOf(10)]);
      await rejectsWith(() => bytes.write("key", source[form](), { signal: AbortSignal.abort(reason) }), reason);
      await turn();
      assert.ok(source.cancelled, `A source that is ${form === "stream" ? "a stream" : "an iterable"} must be cancelled.`);
    }
    equal(await bytes.has("key"), false, "has");
  }),
  "an abort ends a write whose source hangs": needs("streams", async (context) => {
    const { bytes, capabilities } = context;
    for (const form of ["stream", "iterable"] as const) {
      const control = new AbortController();
      const source = trackedSource([bytesOf(10), bytesOf(100_000)], { hangs: true });
      const writing = failure(() => bytes.write("key", source[form](), { signal: control.signal }));
      for (let count = 0; count < 10; count++) await turn();
      control.abort(reason);
      assert.ok((await promptly(context, "An aborted write", writing)) === reason, "write must reject with the reason as it is.");
      await turn();
      assert.ok(source.cancelled, "The source must be cancelled.");
      equal(await bytes.has("key"), false, "has");
      if (capabilities.list !== "none") equal(await keysOf(bytes), [], "The listing");
    }
  }),
  "an abort ends a stream that is read": needs("streams", async (context) => {
    const { bytes } = context;
    await bytes.put("key", bytesOf(1_000_000));
    const control = new AbortController();
    const entry = await bytes.read("key", { signal: control.signal });
    const reader = entry!.value.getReader();
    await reader.read();
    control.abort(reason);
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    const error = await promptly(context, "A stream that was aborted", failure(rest));
    assert.ok(error === reason, `The stream must fail with the reason as it is, got ${describe(error)}.`);
  }),
  "an abort after a stream has ended changes nothing": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    const control = new AbortController();
    const found = await collect(await bytes.read("key", { signal: control.signal }));
    control.abort(reason);
    await turn();
    equal(found, value(0));
    equal(getEventListeners(control.signal, "abort").length, 0, "The listeners left on the signal");
  }),
  "a stream that is given up leaves nothing on its signal": needs("streams", async ({ bytes }) => {
    await bytes.put("key", bytesOf(300_000));
    const { signal } = new AbortController();
    const [unread, halfRead] = [await bytes.read("key", { signal }), await bytes.read("key", { signal })];
    await unread?.value.cancel();
    const reader = halfRead!.value.getReader();
    await reader.read();
    await reader.cancel();
    await turn();
    equal(getEventListeners(signal, "abort").length, 0, "The listeners left on the signal");
  }),
  "an abort of a stream that nobody reads harms nobody": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    const control = new AbortController();
    const entry = await bytes.read("key", { signal: control.signal });
    control.abort(reason);
    await turn();
    await entry?.value.cancel().catch(() => {});
    equal(await bytes.get("key"), value(0));
  }),
  "an abort after a call has ended changes nothing": async ({ storage, value }) => {
    const control = new AbortController();
    await storage.put("key", value(0), { signal: control.signal });
    control.abort(reason);
    await turn();
    equal(await storage.get("key"), value(0));
  },
  "a batch that is aborted leaves every entry whole": async (context) => {
    const { storage, value } = context;
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    const control = new AbortController();
    const batch = call(() =>
      storage.batch(
        keys.map((key) => ({ type: "put", key, value: value(0) }) as const),
        { signal: control.signal },
      ),
    );
    await Promise.resolve();
    control.abort(reason);
    await promptly(context, "An aborted batch", endsWithReason(batch));
    for (const key of keys) {
      const found = await storage.get(key);
      if (found !== undefined) equal(found, value(0), `The value of ${key}`);
    }
  },
});

function forEach(
  nameOf: (operation: string) => string,
  check: (context: ContractContext, operation: OperationCall) => Promise<void>,
): Record<string, Check> {
  return Object.fromEntries(
    operations.map((operation) => [nameOf(operation.name), needs(operation.needs, (context) => check(context, operation))]),
  );
}

async function rejectsAborted(context: ContractContext, operation: OperationCall): Promise<void> {
  const { storage, value } = context;
  await storage.put("key", value(0));
  for (const key of operation.name === "clear" ? ["key"] : ["key", "new"]) {
    await rejectsWith(() => operation.start(context, key, { signal: AbortSignal.abort(reason) }), reason);
  }
  equal(await storage.get("key"), value(0), "The value that was there");
  equal(await storage.has("new"), false, "has of a new key");
}

async function abortedAtEveryStage(context: ContractContext, operation: OperationCall): Promise<void> {
  const { storage, value } = context;
  for (let stage = 0; stage < 12; stage++) {
    await storage.put("key", value(0));
    const control = new AbortController();
    const running = call(() => operation.start(context, "key", { signal: control.signal }));
    const settled = promptly(context, `${operation.name} that was aborted`, endsWithReason(running));
    settled.catch(() => {});
    for (let step = 0; step < stage; step++) await (stage < 6 ? Promise.resolve() : turn());
    control.abort(reason);
    await settled;
    await isWhole(context, operation);
  }
}

/** What is left behind is the old value, or all that the operation does. */
async function isWhole({ storage, value }: ContractContext, operation: OperationCall): Promise<void> {
  const found = await storage.get("key");
  if (!operation.changes) return equal(found, value(0), "The value that was there");
  if (found === undefined) return assert.ok(operation.name === "delete" || operation.name === "clear", "An aborted write must not delete.");
  const written = operation.name === "write" ? new TextEncoder().encode("written") : value(1);
  try {
    equal(found, written);
  } catch {
    equal(found, value(0), "The value after an abort");
  }
}

async function leavesNoListener(context: ContractContext, operation: OperationCall): Promise<void> {
  await context.storage.put("key", context.value(0));
  const control = new AbortController();
  for (const key of ["key", "missing"]) {
    const found = await operation.start(context, key, { signal: control.signal });
    if (operation.name === "read" && found !== undefined) await collect(found as Awaited<ReturnType<ContractContext["bytes"]["read"]>>);
  }
  await turn();
  equal(getEventListeners(control.signal, "abort").length, 0, "The listeners left on the signal");
}

/** A stream that was opened is given back; a rejection must be the reason itself. */
async function endsWithReason(running: Promise<unknown>): Promise<void> {
  try {
    const result = await running;
    const stream: unknown = Reflect.get(Object(result), "value");
    if (stream instanceof ReadableStream) await stream.cancel().catch(() => {});
  } catch (error) {
    assert.ok(error === reason, `The call must reject with the reason as it is, got ${describe(error)}.`);
  }
}
