import type { Lifecycle } from "@stowage/core";
import { rejecting, StorageError, untilAborted } from "@stowage/core";
import type { Before } from "./calls.ts";
import type { Observation } from "./observation.ts";

/** Lets calls through to what is below, each after `before` has looked at it. */
export class Gate {
  readonly #before: Before | undefined;
  readonly #lifecycle: Lifecycle;
  /** Calls that `before` did not let through so far. */
  refused = 0;

  constructor(before: Before | undefined, lifecycle: Lifecycle) {
    this.#before = before;
    this.#lifecycle = lifecycle;
  }

  pass<T>(observation: Observation, send: () => Promise<T>): Promise<T> {
    const sending = (): Promise<T> => {
      observation.sent();
      return send();
    };
    const before = this.#before;
    if (before === undefined) return rejecting(sending);
    const { call, signal } = observation;
    const refuse = (error: unknown): never => {
      throw this.#refusal(error, observation);
    };
    return this.#lifecycle.during(call.operation, () => {
      let verdict: void | Promise<void>;
      try {
        signal?.throwIfAborted();
        verdict = before(call);
      } catch (error) {
        return refuse(error);
      }
      if (verdict === undefined) return sending();
      return untilAborted(Promise.resolve(verdict), signal).then(sending, refuse);
    });
  }

  /** What a call is rejected with that was not let through. */
  #refusal(error: unknown, { call: { operation, keys }, signal }: Observation): unknown {
    if (signal?.aborted === true) return signal.reason;
    this.refused++;
    if (StorageError.is(error)) return error;
    return new StorageError("denied", "The call was refused before it was sent; the cause says why.", {
      operation,
      storage: "events",
      key: keys.length === 1 ? keys[0] : undefined,
      cause: error,
    });
  }
}
