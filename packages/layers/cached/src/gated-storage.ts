import type { Call, Clock, Next, Storage } from "@stowage/core";
import { AroundStorage } from "@stowage/core";

/** A storage whose calls a test can hold, or let fail: they have their effect at once, and answer when they are let go. */
export class GatedStorage<V> extends AroundStorage<V> {
  readonly name: string;
  readonly calls: string[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  readonly #log: string[];
  readonly #held: { operation: string; before: boolean; go: Promise<void> }[] = [];
  /** What every call rejects with. */
  failure: unknown;
  /** What each call of an operation rejects with. */
  readonly failures: Map<string, unknown> = new Map();

  /** @param log of several storages together, by name and operation */
  constructor(inner: Storage<V>, clock: Clock, name = "gated", log: string[] = []) {
    super(inner, clock);
    this.name = name;
    this.#log = log;
  }

  /** Holds the next call of an operation, before its effect or before its answer. Call what it gives to let it go. */
  hold(operation: string, where: "before effect" | "before answer" = "before answer"): () => void {
    let letGo = (): void => {};
    this.#held.push({ operation, before: where === "before effect", go: new Promise((resolve) => (letGo = resolve)) });
    return letGo;
  }

  protected override async around<T>({ operation, options }: Call, next: Next<T>): Promise<T> {
    this.calls.push(operation);
    this.#log.push(`${this.name} ${operation}`);
    this.signals.push(options?.signal);
    const index = this.#held.findIndex((held) => held.operation === operation);
    const held = index === -1 ? undefined : this.#held.splice(index, 1)[0];
    if (held?.before === true) await held.go;
    const failure = this.failures.get(operation) ?? this.failure;
    if (failure !== undefined) throw failure;
    const result = await next();
    await held?.go;
    return result;
  }
}
