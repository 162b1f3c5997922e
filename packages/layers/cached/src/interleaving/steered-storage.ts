import type {
  BatchOptions,
  CallOptions,
  ClearOptions,
  Clock,
  DeleteOptions,
  Entry,
  EntryInfo,
  Operation,
  PutOptions,
  Storage,
} from "@stowage/core";
import { ForwardingStorage, StorageError } from "@stowage/core";
import type { Scheduler } from "./scheduler.ts";

/** What becomes of a call: `late` fails at once and happens later. */
export type Fate = "ok" | "fails" | "lost" | "late";

export interface Steering {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly fate: (isWrite: boolean) => Fate;
  /** False once the process has ended: nothing happens any more. */
  readonly isAlive: () => boolean;
  /** Whether what has failed, or was given up, never happens later. */
  readonly isPunctual: boolean;
  /** Milliseconds within which a write happens that the caller has given up. */
  readonly patience: number;
  /** Told of each change in the moment in which it happens. */
  readonly changed: (key: string, value: number | undefined, expiresAt?: number) => void;
  readonly cleared: (prefix: string) => void;
}

/** A storage whose calls wait twice for a scheduler: to happen, and to be answered. */
export class SteeredStorage extends ForwardingStorage<number> {
  readonly name: string;
  readonly #steering: Steering;

  constructor(inner: Storage<number>, steering: Steering) {
    super(inner, steering.clock);
    this.name = steering.name;
    this.#steering = steering;
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<number> | undefined> {
    return this.#steer(false, options, () => super.getEntry(key, options));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<number> | undefined)[]> {
    return this.#steer(false, options, () => super.getEntries(keys, options));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#steer(false, options, () => super.has(key, options));
  }

  override put(key: string, value: number, options?: PutOptions): Promise<EntryInfo> {
    return this.#steer(true, options, () => {
      const happened = super.put(key, value, options);
      this.#steering.changed(key, value, options?.expiresAt);
      return happened;
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#steer(true, options, () => {
      this.#steering.changed(key, undefined);
      return super.delete(key, options);
    });
  }

  override batch(operations: readonly Operation<number>[], options?: BatchOptions): Promise<void> {
    return this.#steer(true, options, () => {
      for (const operation of operations) {
        this.#steering.changed(operation.key, operation.type === "put" ? operation.value : undefined);
      }
      return super.batch(operations, options);
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#steer(true, options, () => {
      this.#steering.cleared(options?.prefix ?? "");
      return super.clear(options);
    });
  }

  async #steer<T>(isWrite: boolean, options: CallOptions | undefined, happen: () => Promise<T>): Promise<T> {
    const { scheduler, patience, isPunctual, name } = this.#steering;
    if (!this.#steering.isAlive()) return await new Promise<never>(() => {});
    await scheduler.turn(isWrite ? patience : undefined);
    const wanted = this.#steering.fate(isWrite);
    const isGivenUp = isPunctual && (wanted === "late" || options?.signal?.aborted === true);
    const fate = isGivenUp ? "fails" : wanted;
    const failure = (outcome: "none" | "unknown"): StorageError => new StorageError("unavailable", fate, { storage: name, outcome });
    if (fate === "fails") throw failure("none");
    if (fate === "late") {
      scheduler
        .lateTurn(patience)
        .then(happen)
        .catch(() => {});
      throw failure("unknown");
    }
    const result = await happen();
    await scheduler.turn();
    if (fate === "lost") throw failure("unknown");
    return result;
  }
}
