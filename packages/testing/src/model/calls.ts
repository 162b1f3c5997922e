import assert from "node:assert/strict";
import type { AnyStorage, Entry } from "@stowage/core";
import { findLayer, StorageError } from "@stowage/core";
import { call as begin, promptly, turn } from "../contract/assertions.ts";
import { FaultyStorage } from "../faulty.ts";
import type { VirtualClock } from "../virtual-clock.ts";

/** Turns of the event loop after which a call that did not settle is taken to wait for the clock. */
const turnsBeforeTime = 50;

/** Codes that a fault may cause. Anything else, damage above all, no fault excuses. */
const excused: ReadonlySet<string> = new Set(["unavailable", "timeout", "throttled", "conflict", "partial"]);

/** How a call ended: with an answer, with the refusal that its condition asked for, or failed by a fault. */
export type Ending<T> =
  | { readonly how: "answered"; readonly value: T }
  | { readonly how: "refused" }
  | { readonly how: "failed"; readonly reason: unknown };

/** Makes calls whose failures have to be explained: by a condition that does not hold, or by a `faulty` layer in the stack. */
export class Calls {
  readonly #clock: VirtualClock;
  readonly #patience: number;
  readonly #faults: FaultyStorage | undefined;

  constructor(storage: AnyStorage, clock: VirtualClock, patience: number) {
    this.#clock = clock;
    this.#patience = patience;
    this.#faults = findLayer(storage, FaultyStorage);
  }

  /** Makes a call whose condition, if it has one, `holds` or not. */
  async make<T>(start: () => Promise<T>, holds = true): Promise<Ending<T>> {
    const started = begin(start);
    let value: T;
    try {
      value = await (this.#faults === undefined
        ? promptly({ patience: this.#patience }, "The call", started)
        : drive(started, this.#clock, this.#patience));
    } catch (reason) {
      return this.#explain(reason, holds);
    }
    assert.ok(holds, "The condition does not hold, but the call succeeded.");
    return { how: "answered", value };
  }

  /** What is really there, looked up while the faults rest. */
  async observe(storage: AnyStorage, key: string): Promise<Entry<unknown> | undefined> {
    this.rest();
    try {
      return (await drive(storage.getEntry(key), this.#clock, this.#patience)) as Entry<unknown> | undefined;
    } finally {
      this.#faults?.resume();
    }
  }

  /** No more faults. */
  rest(): void {
    this.#faults?.pause();
  }

  #explain(reason: unknown, holds: boolean): Ending<never> {
    if (reason instanceof assert.AssertionError) throw reason;
    if (StorageError.is(reason, "precondition-failed")) {
      assert.ok(!holds, "The condition holds, but the call rejected with precondition-failed.");
      assert.equal(reason.outcome, "none", "A condition that does not hold leaves everything as it was.");
      return { how: "refused" };
    }
    if (this.#faults === undefined || (StorageError.is(reason) && !excused.has(reason.code))) throw reason;
    return { how: "failed", reason };
  }
}

/**
 * Waits for a call, and moves the clock where nothing else goes on: what waits before another attempt goes on by that.
 * Gives up on a call that does not end after `patience` milliseconds of real time.
 */
export async function drive<T>(started: Promise<T>, clock: VirtualClock, patience: number): Promise<T> {
  const call = { settled: false };
  const settle = (): void => {
    call.settled = true;
  };
  started.then(settle, settle);
  const end = performance.now() + patience;
  while (!call.settled) {
    for (let turns = 0; turns < turnsBeforeTime && !call.settled; turns++) await turn();
    if (!call.settled) await clock.next();
    assert.ok(call.settled || performance.now() < end, "The call did not settle.");
  }
  return await started;
}
