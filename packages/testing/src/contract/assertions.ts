import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import type { Bytes, ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { ContractContext } from "./promise.ts";

/** Kept from before any test replaces the timers. */
const { setImmediate: immediately, setTimeout: later, clearTimeout: cancelTimer } = globalThis;

/** One turn of the event loop, with all microtasks before it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    immediately(resolve);
  });
}

/** What the call gives. Fails where it throws instead of giving a promise. */
export function call<T>(start: () => Promise<T>): Promise<T> {
  let promise: Promise<T>;
  try {
    promise = start();
  } catch (error) {
    assert.fail(`The call threw instead of rejecting: ${describe(error)}.`);
  }
  assert.ok(typeof promise?.then === "function", "The call gave no promise.");
  return promise;
}

/** Fails where a promise is not settled after the time that a promise of the contract may take. */
export async function promptly<T>(context: Pick<ContractContext, "patience">, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = later(() => reject(new assert.AssertionError({ message: `${what} did not settle.` })), context.patience);
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    cancelTimer(timer);
  }
}

/** The error of a call that must reject with a `StorageError` of one of these codes. */
export async function rejects(start: () => Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<StorageError> {
  const error = await failure(start);
  assert.ok(StorageError.is(error), `The call must reject with a StorageError, got ${describe(error)}.`);
  assert.ok(codes.includes(error.code), `The call must reject with "${codes.join('" or "')}", got "${error.code}": ${error.message}`);
  return error;
}

/** More steps than any refusal takes that waits for nothing. */
const steps = 200;

/** As `rejects`, where nothing may be touched before: a backend answers without giving the event loop a turn for I/O. */
export async function refuses(
  { isBackend }: Pick<ContractContext, "isBackend">,
  start: () => Promise<unknown>,
  code: ErrorCode,
): Promise<StorageError> {
  const answer = { settled: false };
  const refused = rejects(start, code).finally(() => {
    answer.settled = true;
  });
  refused.catch(() => {});
  for (let step = 0; step < steps && !answer.settled; step++) await Promise.resolve();
  assert.ok(answer.settled || !isBackend, `The call must be refused with "${code}" before any I/O, but waited for something.`);
  return await refused;
}

/** Fails unless the call rejects with this very object. */
export async function rejectsWith(start: () => Promise<unknown>, reason: unknown): Promise<void> {
  const error = await failure(start);
  assert.ok(error === reason, `The call must reject with the reason as it is, got ${describe(error)}.`);
}

/** What the call rejects with. */
export async function failure(start: () => Promise<unknown>): Promise<unknown> {
  const promise = call(start);
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  return assert.fail(`The call must reject, but resolved with ${describe(value)}.`);
}

/** Fails unless two values are equal; bytes must also be a plain `Uint8Array`. */
export function equal(actual: unknown, expected: unknown, what = "The value"): void {
  if (expected instanceof Uint8Array) return equalBytes(actual, expected, what);
  // Not assert.deepStrictEqual: it makes a diff whatever it is told to say, which takes minutes for large values.
  assert.ok(isDeepStrictEqual(actual, expected), `${what} differs: expected ${describe(expected)}, got ${describe(actual)}.`);
}

/** Fails unless this is a plain `Uint8Array` that owns its memory. */
export function isPlain(value: unknown, what: string): asserts value is Bytes {
  assert.ok(value instanceof Uint8Array, `${what} must be a Uint8Array, got ${describe(value)}.`);
  assert.ok(value.constructor === Uint8Array, `${what} must be a plain Uint8Array, got a ${value.constructor.name}.`);
  assert.ok(value.buffer instanceof ArrayBuffer, `${what} must not be shared memory.`);
  assert.ok(value.buffer.byteLength === value.byteLength, `${what} must own its memory, but is a view of a larger buffer.`);
}

/** The code of an error, if it has one. */
export const codeOf = (error: unknown): unknown => Reflect.get(Object(error), "code");

/** What an error was caused by, if it says so. */
export const causeOf = (error: unknown): unknown => Reflect.get(Object(error), "cause");

/** What was given, in a few words. */
export function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === "string") return JSON.stringify(shorten(value));
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return shorten(JSON.stringify(value));
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function equalBytes(actual: unknown, expected: Uint8Array, what: string): void {
  isPlain(actual, what);
  assert.equal(actual.byteLength, expected.byteLength, `${what} must have ${expected.byteLength} bytes, got ${actual.byteLength}.`);
  if (Buffer.compare(actual, expected) === 0) return;
  const difference = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`${what} differs at byte ${difference}: expected ${expected[difference]}, got ${actual[difference]}.`);
}

const shorten = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
