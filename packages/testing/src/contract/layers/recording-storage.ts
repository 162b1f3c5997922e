import type { ByteSource, Storage } from "@stowage/core";
import { cancelSource } from "@stowage/core";
import type { Invocation } from "../../faults/intercepted-storage.ts";
import { InterceptedStorage } from "../../faults/intercepted-storage.ts";

/** How the storage below a layer answers from now on. */
export type Answers =
  | { readonly with: "the truth" }
  | { readonly with: "a failure"; readonly error: unknown }
  | { readonly with: "nothing" };

/** What stands below a layer that is checked: notes every call as it arrives, and answers, fails or hangs. */
export class RecordingStorage<V> extends InterceptedStorage<V> {
  readonly name: string;
  calls: Invocation[] = [];
  answers: Answers = { with: "the truth" };
  /** What `close` rejects with after it closed. */
  closeError: unknown;

  constructor(below: Storage<V>) {
    super(below);
    this.name = below.name;
  }

  protected intercept<T>(call: Invocation<T>): Promise<T> {
    this.calls.push(call);
    if (call.operation === "close") return this.#close(call);
    if (this.answers.with === "the truth") return call.perform();
    if (this.answers.with === "nothing") return untilAborted(call);
    giveUpSource(call, this.answers.error);
    return Promise.reject(this.answers.error);
  }

  async #close<T>(call: Invocation<T>): Promise<T> {
    const closed = await call.perform();
    if (this.closeError !== undefined) throw this.closeError;
    return closed;
  }
}

/** A call that only its signal ends. */
function untilAborted<T>(call: Invocation<T>): Promise<T> {
  return new Promise((_, reject) => {
    const signal = call.options?.signal;
    const abort = (): void => {
      giveUpSource(call, signal?.reason);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

function giveUpSource({ operation, input }: Invocation, reason: unknown): void {
  if (operation === "write") cancelSource(input as ByteSource, reason);
}
