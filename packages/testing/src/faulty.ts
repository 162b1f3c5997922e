import type { AnyLayer, AnyStorage, Clock, Details, StorageErrorOptions } from "@stowage/core";
import { anyLayer, checkOptions, StorageError, systemClock } from "@stowage/core";
import type { Fault, FaultKind } from "./faults/fault.ts";
import { canHappen, faultError } from "./faults/fault.ts";
import type { CallName, Invocation } from "./faults/intercepted-storage.ts";
import { freshSeed, hash, Random } from "./faults/random.ts";
import type { Failing, Where } from "./faults/script.ts";
import { isMeant } from "./faults/script.ts";
import type { On } from "./faults/scripted-storage.ts";
import { ScriptedStorage } from "./faults/scripted-storage.ts";

export interface FaultyOptions {
  /**
   * Chooses which calls go wrong, and how. The same seed and the same calls give the same faults: the n-th call of an
   * operation on a key meets the same one, whatever happens to other keys in between. @default a new one
   */
  readonly seed?: number | undefined;
  /** Share of the calls that go wrong, from 0 to 1. @default 0.1, or 0 with a script */
  readonly rate?: number | undefined;
  /** What goes wrong. `hangs` and `stalls` need callers with a signal, `delays` a clock. @default fails, loses, breaks, shortens and repeats */
  readonly kinds?: readonly FaultKind[] | undefined;
  /** What `fails`, `loses`, `breaks` and `throws` reject with; a function may make anything. @default `["unavailable"]` */
  readonly errors?: readonly Failing[] | undefined;
  /** Operations that go wrong. @default all but `close` */
  readonly operations?: readonly CallName[] | undefined;
  /** Calls that go wrong: those that name a key, or those for which a function says so. @default all */
  readonly where?: Where | undefined;
  /** Milliseconds that a call that `delays` is late at the most, before its effect or after it. @default 100 */
  readonly delay?: number | undefined;
  /** Faults for certain calls, as a mock has them: `(on) => on("put").loses("timeout", { times: 1 })`. They come before the seed's. */
  readonly script?: ((on: On<unknown>) => void) | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/** A fault that happened. */
export interface InjectedFault {
  /** Position of the call among all calls, from 1. */
  readonly call: number;
  readonly operation: CallName;
  readonly key: string | undefined;
  readonly kind: Fault["kind"];
}

/**
 * Lets calls go wrong, as disks and networks do: for tests of what stands on it. Its seed is in the message of every
 * error that it makes, and in `details()`.
 *
 * ```ts
 * const storage = stack(memoryStorage(), faulty({ seed: 42, rate: 0.2 }), retry());
 * ```
 */
export function faulty(options: FaultyOptions = {}): AnyLayer {
  const plan = planOf(options);
  return anyLayer((inner) => new FaultyStorage(inner, plan));
}

/** The layer that `faulty` makes, found by `findLayer(storage, FaultyStorage)`. */
export class FaultyStorage extends ScriptedStorage<unknown> {
  readonly name = "faulty";
  readonly #plan: FaultPlan;
  /** How often each operation was called on each key. */
  readonly #counts = new Map<string, number>();
  readonly #injected: InjectedFault[] = [];
  #calls = 0;
  #paused = false;

  constructor(inner: AnyStorage, plan: FaultPlan) {
    super(inner, plan.clock, "faulty");
    this.#plan = plan;
    plan.script?.(this.on);
  }

  /** Every fault that happened, in order. */
  get injected(): readonly InjectedFault[] {
    return this.#injected;
  }

  /** Lets all calls through until `resume`, as when the disk is repaired. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  override details(): Details {
    const { seed, rate, kinds } = this.#plan;
    const stats: Record<string, number> = { calls: this.#calls, faults: this.#injected.length };
    for (const { kind } of this.#injected) stats[kind] = (stats[kind] ?? 0) + 1;
    return { options: { seed, rate, kinds }, stats };
  }

  protected override intercept<T>(call: Invocation<T>): Promise<T> {
    if (this.#paused) return call.perform();
    this.#calls++;
    return super.intercept(call);
  }

  protected override unscripted<T>(call: Invocation<T>): Promise<T> {
    const fault = this.#choose(call);
    return fault === undefined ? call.perform() : this.inject(fault, call);
  }

  protected override inject<T>(fault: Fault, call: Invocation<T>): Promise<T> {
    this.#injected.push({ call: this.#calls, operation: call.operation, key: call.key, kind: fault.kind });
    return super.inject(fault, call);
  }

  #choose(call: Invocation): Fault | undefined {
    const { seed, rate, operations, where, kinds, errors, delay } = this.#plan;
    const which = [call.operation, ...call.keys].join("\0");
    const count = (this.#counts.get(which) ?? 0) + 1;
    this.#counts.set(which, count);
    const random = new Random(hash(`${seed} ${count} ${which}`));
    const happens = random.next() < rate;
    const [kindDraw, errorDraw, amountDraw] = [random.next(), random.next(), random.next()];
    if (!happens || !operations.includes(call.operation) || !isMeant(where, call)) return undefined;
    const kind = pick(
      kinds.filter((each) => canHappen(each, call.operation)),
      kindDraw,
    );
    if (kind === undefined) return undefined;
    return {
      kind,
      delay: kind === "delays" ? Math.ceil(errorDraw * delay) : undefined,
      error: this.#failing(kind, pick(errors, errorDraw) ?? "unavailable"),
      after: Math.floor(2 ** (amountDraw * 18)) - 1,
      limit: 1 + Math.floor(amountDraw * 3),
      effect: amountDraw < 0.5,
    };
  }

  #failing(kind: FaultKind, error: Failing): (call: Invocation) => unknown {
    if (typeof error === "function") return error;
    if (typeof error !== "string") return () => error;
    const number = this.#calls;
    const outcome: StorageErrorOptions["outcome"] = kind === "loses" ? "unknown" : "none";
    return (call) => {
      const message = `Injected by seed ${this.#plan.seed} at call ${number}: ${call.operation} ${kind}.`;
      return faultError(error, message, call, this.name, outcome);
    };
  }
}

/** `FaultyOptions` with the defaults filled in. */
interface FaultPlan {
  readonly seed: number;
  readonly rate: number;
  readonly kinds: readonly FaultKind[];
  readonly errors: readonly Failing[];
  readonly operations: readonly CallName[];
  readonly where: Where | undefined;
  readonly delay: number;
  readonly script: ((on: On<unknown>) => void) | undefined;
  readonly clock: Clock;
}

const defaultKinds: readonly FaultKind[] = ["fails", "loses", "breaks", "shortens", "repeats"];

const allOperations: readonly CallName[] = [
  "get",
  "getEntry",
  "getEntries",
  "head",
  "has",
  "list",
  "put",
  "delete",
  "batch",
  "clear",
  "flush",
  "read",
  "write",
];

function planOf(options: FaultyOptions): FaultPlan {
  checkOptions({}, options, "faulty", ["seed", "rate", "kinds", "errors", "operations", "where", "delay", "script"]);
  const { seed = freshSeed(), script, rate = script === undefined ? 0.1 : 0, kinds = defaultKinds, errors = ["unavailable"] } = options;
  const { operations = allOperations, where, delay = 100, clock = systemClock } = options;
  if (!Number.isInteger(seed)) refuse("seed must be a whole number.");
  if (!(rate >= 0 && rate <= 1)) refuse("rate must be a number from 0 to 1.");
  if (kinds.length === 0) refuse("kinds must name at least one kind of fault.");
  if (errors.length === 0) refuse("errors must give at least one error.");
  if (!(delay >= 0)) refuse("delay must be a number of milliseconds.");
  return { seed, rate, kinds, errors, operations, where, delay, script, clock };
}

function refuse(message: string): never {
  throw new StorageError("invalid-option", message, { storage: "faulty" });
}

/** The item that a number from 0 to 1 stands for. */
function pick<T>(items: readonly T[], draw: number): T | undefined {
  return items[Math.floor(draw * items.length)];
}
