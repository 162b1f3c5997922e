import type { Clock, Storage } from "@stowage/core";
import type { Fault } from "./fault.ts";
import { happen } from "./fault.ts";
import type { CallName, Invocation } from "./intercepted-storage.ts";
import { InterceptedStorage } from "./intercepted-storage.ts";
import type { Answers, Where } from "./script.ts";
import { Script, Scripts } from "./script.ts";

/** Scripts what happens to calls of these operations, of any but `close` with `"any"`, for a key or where a function says so. */
export interface On<V> {
  <O extends CallName>(operation: O | readonly O[], where?: Where): Script<Answers<V>[O]>;
  (operation: "any", where?: Where): Script;
}

/** A storage that does as its scripts say, and else what the one below does. */
export abstract class ScriptedStorage<V> extends InterceptedStorage<V> {
  readonly #scripts: Scripts;

  constructor(below: Storage<V>, clock: Clock, name: string) {
    super(below, clock);
    this.#scripts = new Scripts(name);
  }

  /** Scripts what happens to calls of these operations, of any but `close` with `"any"`, for a key or where a function says so. */
  readonly on: On<V> = (operation: CallName | readonly CallName[] | "any", where?: Where): Script<never> =>
    new Script(this.#scripts, operation === "any" ? undefined : [operation].flat(), where);

  /** In words, what was scripted for calls that never came. */
  protected unusedScripts(): string[] {
    return this.#scripts.unused();
  }

  protected forgetScripts(): void {
    this.#scripts.clear();
  }

  /** What happens to a call that no script wants. */
  protected unscripted<T>(call: Invocation<T>): Promise<T> {
    return call.perform();
  }

  protected intercept<T>(call: Invocation<T>): Promise<T> {
    const fault = this.#scripts.take(call);
    return fault === undefined ? this.unscripted(call) : this.inject(fault, call);
  }

  /** Lets a fault happen to a call. */
  protected inject<T>(fault: Fault, call: Invocation<T>): Promise<T> {
    return happen(fault, call, this.clock);
  }
}
