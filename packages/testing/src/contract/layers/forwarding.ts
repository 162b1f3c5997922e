import assert from "node:assert/strict";
import type { AnyStorage, Capabilities, Operation, PutOptions } from "@stowage/core";
import type { Invocation } from "../../faults/intercepted-storage.ts";
import { abilities } from "../abilities.ts";
import { describe, equal } from "../assertions.ts";
import type { ContractContext } from "../promise.ts";
import { prepare } from "../subject.ts";
import type { DocumentedChanges, LayerSubject } from "./layer-subject.ts";
import { onRecording } from "./layer-subject.ts";
import type { LayerPromise } from "./layer-promises.ts";
import type { RecordingStorage } from "./recording-storage.ts";
import type { SampleCall } from "./sample-calls.ts";
import { operationsOf, sampleCalls, send } from "./sample-calls.ts";

/** Every call goes down once, as it came. */
export function forwardingPromises<In extends AnyStorage>(subject: LayerSubject<In>): LayerPromise[] {
  const { calls = [], refuses } = subject.documented ?? {};
  return sampleCalls
    .filter(({ operation }) => !calls.includes(operation) && refuses?.operations.includes(operation) !== true)
    .map((call) => ({
      name: `${call.operation} goes down once, with ${call.what}`,
      run: (patience) => goesDown(subject, call, patience),
    }));
}

async function goesDown<In extends AnyStorage>(subject: LayerSubject<In>, call: SampleCall, patience: number): Promise<void> {
  const { subject: recorded, recording } = onRecording(subject);
  const { context, dispose } = await prepare(recorded, patience);
  try {
    const lacking = call.needs.some((name) => !abilities[name].isPresent(context.storage));
    if (lacking) return;
    await putOld(context, recording(), subject.documented);
    const etag = (await context.storage.head("old"))?.etag;
    const options = { ...call.options, ...(call.options?.["ifMatch"] !== undefined && { ifMatch: etag }) };
    recording().calls = [];
    const control = new AbortController();
    const result = await send(context, call, { ...options, signal: control.signal });
    const seen = recording().calls;
    await giveBack(result);
    equal(
      seen.map(({ operation }) => operation),
      [call.operation],
      "The calls below",
    );
    checkArguments(context, call, options, seen[0]!, subject.documented);
    if (call.operation === "write" || call.operation === "put")
      equal(await context.storage.get("new"), call.key === "new" ? context.value(1) : undefined);
  } finally {
    await dispose();
  }
}

/** The entry that the calls are about; put below where the layer lets no put through. */
async function putOld(context: ContractContext, below: RecordingStorage<unknown>, documented: DocumentedChanges = {}): Promise<void> {
  const { key = same, refuses } = documented;
  if (refuses?.operations.includes("put") === true) await below.put(key("old"), context.value(0));
  else await context.storage.put("old", context.value(0));
}

/** Gives a stream back that nobody reads. */
export async function giveBack(result: unknown): Promise<void> {
  const stream: unknown = Reflect.get(Object(result), "value");
  if (stream instanceof ReadableStream) await stream.cancel();
}

function checkArguments(
  context: ContractContext,
  call: SampleCall,
  options: object,
  seen: Invocation,
  documented: DocumentedChanges = {},
): void {
  const { key = same, values = false } = documented;
  if (call.key !== undefined) equal(seen.key, key(call.key), "The key below");
  if (call.keys !== undefined) equal(seen.keys, call.keys.map(key), "The keys below");
  if (call.operation === "put" && !values) equal(seen.input, context.value(call.value ?? 0), "The value below");
  if (call.operation === "batch") checkOperations(context, call, seen.input as readonly Operation<unknown>[], documented);
  checkOptions(context, options, seen.options ?? {}, documented);
  assert.ok(seen.options?.signal !== undefined, "The signal must get below.");
}

function checkOperations(
  context: ContractContext,
  call: SampleCall,
  seen: readonly Operation<unknown>[],
  documented: DocumentedChanges,
): void {
  const { key = same, values = false } = documented;
  const sent = operationsOf(context, call);
  equal(seen.length, sent.length, "The number of operations below");
  for (const [index, operation] of sent.entries()) {
    const below = seen[index]!;
    equal([below.type, below.key], [operation.type, key(operation.key)], "The operation below");
    if (operation.type === "put" && below.type === "put" && !values) equal(below.value, operation.value, "The value below");
    checkOptions(context, operation.options ?? {}, below.options ?? {}, documented);
  }
}

/** What a caller can ask for, besides the signal. */
const optionNames = [
  "expiresAt",
  "metadata",
  "ifMatch",
  "ifNoneMatch",
  "atomic",
  "prefix",
  "delimiter",
  "startAfter",
  "cursor",
  "limit",
  "info",
  "start",
  "end",
];

/** What a layer keeps itself, because it adds the ability, does not get below. */
const keptFor: Readonly<Record<string, keyof Capabilities>> = { expiresAt: "ttl", metadata: "metadata" };

function checkOptions({ now }: ContractContext, given: object, seen: object, { key = same, adds = [] }: DocumentedChanges): void {
  const { ttl } = given as PutOptions;
  assert.ok(Reflect.get(seen, "ttl") === undefined, "A ttl must get below as expiresAt, so that sending it again does not prolong it.");
  for (const name of optionNames) {
    let expected: unknown = Reflect.get(given, name);
    if (name === "expiresAt" && ttl !== undefined) expected = now() + ttl;
    if ((name === "prefix" || name === "startAfter") && typeof expected === "string") expected = key(expected);
    if (adds.some((ability) => ability === keptFor[name])) expected = undefined;
    const found: unknown = Reflect.get(seen, name);
    const isOurs = name === "prefix" && expected === undefined;
    const isDefault = expected === undefined && (found === false || found === 0);
    if (!isOurs && !isDefault) equal(found, expected, `The option "${name}" below (${describe(seen)})`);
  }
}

const same = (key: string): string => key;
