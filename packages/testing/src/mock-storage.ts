import type { AnyStorage, Bytes, ByteStorage, Details, PutOptions, DeleteOptions, Storage } from "@stowage/core";
import { checkOptions } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { isEqual } from "./equal.ts";
import type { CallName, Invocation } from "./faults/intercepted-storage.ts";
import type { On } from "./faults/scripted-storage.ts";
import { ScriptedStorage } from "./faults/scripted-storage.ts";
import type { RecordedCall } from "./recording.ts";
import { CallLog } from "./recording.ts";
import { show, showCalls, showOptions } from "./recording-text.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface MockOptions {
  /** The clock of the mock, for what expires and for scripted delays. @default a new one */
  readonly clock?: VirtualClock | undefined;
}

export interface MockValueOptions extends MockOptions {
  /** What it holds: bytes, or any values. @default "bytes" */
  readonly values: "any";
}

/** A storage for tests: what a memory storage does, with a log of its calls and answers that a test scripts. */
export interface Mock<V> extends Storage<V> {
  /** Moves what expires and what was scripted to be late. */
  readonly clock: VirtualClock;
  /** Every call in the order in which they came in, also those that were not carried out. */
  readonly calls: readonly RecordedCall[];
  /** Scripts what happens to calls of these operations, of any but `close` with `"any"`, for a key or where a function says so. */
  readonly on: On<V>;

  /** The calls of an operation, or those of them that are meant. */
  callsTo(operation: CallName, where?: CallFilter): readonly RecordedCall[];
  /** Throws unless there was a call, or exactly `times`. Gives the last one. */
  expectCall(operation: CallName, where?: CallFilter, times?: number): RecordedCall;
  /** Throws unless there was no such call; without an operation, none at all. */
  expectNoCall(operation?: CallName, where?: CallFilter): void;
  /** Throws unless a `put` or `write` had this key, this value where one is given, and these options among its own. Gives the last one. */
  expectPut(key: string, value?: V, options?: PutOptions): RecordedCall;
  /** Throws unless a `delete` had this key, and these options among its own. Gives the last one. */
  expectDelete(key: string, options?: DeleteOptions): RecordedCall;
  /** Throws unless exactly these calls were made, in this order: `["get", "user:1"]`, `["list"]`. */
  expectCalls(...calls: readonly (readonly [operation: CallName, key?: string])[]): void;
  /** Throws where something was scripted for calls that never came. */
  expectScriptsUsed(): void;
  /** Forgets the calls and the scripts. What is stored stays. */
  reset(): void;
}

/** Which calls are meant: those that name a key, or those for which a function says so. */
export type CallFilter = string | ((call: RecordedCall) => boolean);

/**
 * A storage for tests, of bytes or of any values. It keeps the contract as a memory storage does, until a test scripts
 * something else. Works under any test runner.
 *
 * ```ts
 * const mock = mockStorage<User>({ values: "any" });
 * mock.on("get", "user:1").fails("unavailable", { times: 2 });
 * await greet(mock, "user:1");
 * mock.expectPut("user:1", { name: "Ada", visits: 1 });
 * ```
 */
export function mockStorage(options?: MockOptions): Mock<Bytes> & ByteStorage;
export function mockStorage<V>(options: MockValueOptions): Mock<V>;
export function mockStorage<V>(options?: MockOptions | MockValueOptions): Mock<Bytes> | Mock<V> {
  return new MockStorage<V>(options);
}

/** The class of a mock, found by `findLayer(storage, MockStorage)`; of bytes, unless it is made with `values: "any"`. */
export class MockStorage<V = Bytes> extends ScriptedStorage<V> implements Mock<V> {
  readonly name = "mock";
  /** A mock is a storage in memory of its own, not a layer. */
  override readonly inner: readonly AnyStorage[] = [];
  declare readonly clock: VirtualClock;
  readonly #log = new CallLog();

  constructor(options: MockOptions | MockValueOptions = {}) {
    checkOptions({}, options, "mock", ["values"]);
    const { clock = new VirtualClock() } = options;
    const holdsBytes = !("values" in options) || options.values === undefined;
    super(holdsBytes ? (memoryStorage({ clock }) as AnyStorage as Storage<V>) : memoryStorage<V>({ values: "any", clock }), clock, "mock");
  }

  get calls(): readonly RecordedCall[] {
    return this.#log.calls;
  }

  callsTo(operation: CallName, where?: CallFilter): readonly RecordedCall[] {
    return this.calls.filter((call) => call.operation === operation && isMeant(call, where));
  }

  expectCall(operation: CallName, where?: CallFilter, times?: number): RecordedCall {
    const calls = this.callsTo(operation, where);
    const last = calls.at(-1);
    if (times === undefined ? last !== undefined : calls.length === times) return last!;
    const often = times === undefined ? "" : `, ${times} times; it came ${calls.length} times`;
    throw this.#unmet(`Expected a call of ${operation}${showWhere(where)}${often}.`);
  }

  expectNoCall(operation?: CallName, where?: CallFilter): void {
    const calls = operation === undefined ? this.calls : this.callsTo(operation, where);
    if (calls.length > 0) throw this.#unmet(`Expected no call${operation === undefined ? "" : ` of ${operation}${showWhere(where)}`}.`);
  }

  expectPut(key: string, value?: V, options?: PutOptions): RecordedCall {
    const found = this.calls.findLast(
      (call) =>
        (call.operation === "put" || call.operation === "write") &&
        call.key === key &&
        (value === undefined || isEqual(call.value, value)) &&
        hasOptions(call, options),
    );
    if (found !== undefined) return found;
    throw this.#unmet(`Expected a put of ${JSON.stringify(key)}${value === undefined ? "" : ` ${show(value)}`}${showWith(options)}.`);
  }

  expectDelete(key: string, options?: DeleteOptions): RecordedCall {
    const found = this.calls.findLast((call) => call.operation === "delete" && call.key === key && hasOptions(call, options));
    if (found !== undefined) return found;
    throw this.#unmet(`Expected a delete of ${JSON.stringify(key)}${showWith(options)}.`);
  }

  expectCalls(...calls: readonly (readonly [operation: CallName, key?: string])[]): void {
    const expected = calls.map(([operation, key]) => ({ operation, keys: key === undefined ? undefined : [key] }));
    const same = this.calls.every((call, index) => {
      const wanted = expected[index];
      return wanted?.operation === call.operation && (wanted.keys === undefined || isEqual(wanted.keys, call.keys));
    });
    if (same && expected.length === this.calls.length) return;
    const list = calls.map(
      ([operation, key], index) => `\n  ${index + 1}. ${operation}${key === undefined ? "" : ` ${JSON.stringify(key)}`}`,
    );
    throw this.#unmet(calls.length === 0 ? "Expected no call." : `Expected the calls:${list.join("")}`);
  }

  expectScriptsUsed(): void {
    const unused = this.unusedScripts();
    if (unused.length > 0) throw this.#unmet(`Expected every script to be used:${unused.map((line) => `\n  ${line}`).join("")}`);
  }

  reset(): void {
    this.#log.clear();
    this.forgetScripts();
  }

  override details(): Details {
    return { options: {}, stats: { calls: this.calls.length } };
  }

  protected override intercept<T>(call: Invocation<T>): Promise<T> {
    return this.#log.record(call, (recorded) => super.intercept(recorded));
  }

  #unmet(expectation: string): Error {
    return new Error(`${expectation}\n${showCalls(this.calls)}`);
  }
}

function isMeant(call: RecordedCall, where: CallFilter | undefined): boolean {
  if (where === undefined) return true;
  return typeof where === "string" ? call.keys.includes(where) : where(call);
}

function hasOptions(call: RecordedCall, options: object | undefined): boolean {
  return Object.entries(options ?? {}).every(([name, value]) => isEqual(Reflect.get(call.options ?? {}, name), value));
}

function showWith(options: object | undefined): string {
  return options === undefined ? "" : ` with ${showOptions(options)}`;
}

function showWhere(where: CallFilter | undefined): string {
  if (where === undefined) return "";
  return typeof where === "string" ? ` for ${JSON.stringify(where)}` : " where the function says so";
}
