import assert from "node:assert/strict";
import type { AnyStorage } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { abilities } from "../abilities.ts";
import { call, describe, promptly, turn } from "../assertions.ts";
import type { OperationCall } from "../operations.ts";
import { operations } from "../operations.ts";
import type { ContractContext } from "../promise.ts";
import { bytesOf } from "../samples.ts";
import { trackedSource } from "../sources.ts";
import { prepare } from "../subject.ts";
import { giveBack } from "./forwarding.ts";
import type { LayerSubject } from "./layer-subject.ts";
import { onRecording } from "./layer-subject.ts";
import type { LayerPromise } from "./layer-promises.ts";
import type { RecordingStorage } from "./recording-storage.ts";

/** Errors come up as they are, and aborts go down. */
export function failurePromises<In extends AnyStorage>(subject: LayerSubject<In>): LayerPromise[] {
  const { calls = [], errors = [], refuses } = subject.documented ?? {};
  const sent = operations.filter(({ name }) => refuses?.operations.includes(name) !== true);
  return [
    ...sent.map((operation) => ({
      name: errors.includes(operation.name)
        ? `an error below ${operation.name} is an error`
        : `an error below ${operation.name} arrives as it is`,
      run: (patience: number) =>
        withLayer(subject, patience, operation, (context, recording) =>
          errorArrives(context, recording, operation, { same: !errors.includes(operation.name), sent: !calls.includes(operation.name) }),
        ),
    })),
    ...sent.map((operation) => ({
      name: `an abort of ${operation.name} gets below, and ends the call with its reason`,
      run: (patience: number) =>
        withLayer(subject, patience, operation, (context, recording) =>
          abortArrives(context, recording, operation, calls.includes(operation.name)),
        ),
    })),
    ...sent
      .filter(({ name }) => name === "write" && !calls.includes(name)) // what does not go down as one call has no failure below
      .map((operation) => ({
        name: "a write that fails below gives its source up",
        run: (patience: number) => withLayer(subject, patience, operation, sourceIsGivenUp),
      })),
  ];
}

/** An operation that the layer over memory cannot do is proven by the contract. */
async function withLayer<In extends AnyStorage>(
  subject: LayerSubject<In>,
  patience: number,
  operation: OperationCall,
  check: (context: ContractContext, recording: RecordingStorage<unknown>) => Promise<void>,
): Promise<void> {
  const { subject: recorded, recording } = onRecording(subject);
  const { context, dispose } = await prepare(recorded, patience);
  try {
    if (operation.needs.every((name) => abilities[name].isPresent(context.storage))) await check(context, recording());
  } finally {
    recording().answers = { with: "the truth" };
    await dispose();
  }
}

async function errorArrives(
  context: ContractContext,
  recording: RecordingStorage<unknown>,
  operation: OperationCall,
  expected: { readonly same: boolean; readonly sent: boolean },
): Promise<void> {
  const failures = [
    new StorageError("denied", "You may not do that.", { operation: operation.name, storage: "below" }),
    new StorageError("corrupt", "The entry is damaged.", { operation: operation.name, storage: "below" }),
    new TypeError("an error of somebody else"),
  ];
  for (const [index, error] of failures.entries()) {
    recording.answers = { with: "a failure", error };
    recording.calls = [];
    const outcome = await promptly(context, operation.name, settled(call(() => operation.start(context, `new-${index}`))));
    if (recording.calls.length === 0 && !expected.sent) continue;
    assert.ok("error" in outcome, `${operation.name} must reject, but gave ${describe(outcome.value)}.`);
    if (expected.same && expected.sent) assert.equal(recording.calls.length, 1, "A call that failed for good must not be sent again.");
    if (expected.same) assert.ok(outcome.error === error, `The error must arrive as the same object, got ${describe(outcome.error)}.`);
  }
}

const reason = { because: "the caller went away" };

async function abortArrives(
  context: ContractContext,
  recording: RecordingStorage<unknown>,
  operation: OperationCall,
  documented: boolean,
): Promise<void> {
  const control = new AbortController();
  recording.answers = { with: "nothing" };
  recording.calls = [];
  let ended = false;
  const running = settled(call(() => operation.start(context, "new", { signal: control.signal }))).finally(() => {
    ended = true;
  });
  await promptly(
    context,
    `${operation.name} on its way down`,
    until(() => ended || recording.calls.length > 0),
  );
  if (recording.calls.length === 0 && documented) return;
  assert.ok(recording.calls.length > 0, `${operation.name} must get below.`);
  control.abort(reason);
  const outcome = await promptly(context, `${operation.name} after its abort`, running);
  assert.ok(
    "error" in outcome && outcome.error === reason,
    `The call must reject with the reason as it is, got ${describe(Object.values(outcome)[0])}.`,
  );
  if (documented) return;
  for (const { options, operation: name } of recording.calls) {
    assert.ok(options?.signal?.aborted === true, `The abort must get to ${name} below.`);
    assert.ok(options.signal.reason === reason, `${name} below must see the reason as it is.`);
  }
}

async function sourceIsGivenUp(context: ContractContext, recording: RecordingStorage<unknown>): Promise<void> {
  const error = new StorageError("denied", "You may not do that.");
  recording.answers = { with: "a failure", error };
  for (const form of ["stream", "iterable"] as const) {
    const source = trackedSource([bytesOf(10)], { hangs: true });
    const outcome = await promptly(context, "A write that fails below", settled(call(() => context.bytes.write("new", source[form]()))));
    assert.ok("error" in outcome, "The write must reject.");
    await turn();
    assert.ok(source.cancelled, `A source that is ${form === "stream" ? "a stream" : "an iterable"} must be cancelled.`);
  }
}

type Outcome = { readonly value: unknown; readonly error?: never } | { readonly error: unknown; readonly value?: never };

async function settled(running: Promise<unknown>): Promise<Outcome> {
  try {
    const value = await running;
    await giveBack(value);
    return { value };
  } catch (error) {
    return { error };
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}
