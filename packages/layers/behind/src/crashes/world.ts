import type { BatchOptions, ByteSource, Bytes, ByteStorage, CallOptions, EntryInfo, Failure, Operation, PutOptions } from "@stowage/core";
import { ForwardingStorage, partial, StorageError, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { behind } from "../index.ts";

/** What happens at a step, which is one change of the journal or of the storage below. */
export type Fault = "fails" | "loses its answer" | "hangs" | "crashes before" | "crashes after";

/** How a write-behind layer could be wrong. */
export type Mistake = "removes before it writes" | "removes the newest first" | "acknowledges before the journal has it";

const never = new Promise<never>(() => {});

/** A process that may die between any two changes, over a journal and a storage that outlive it. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly journal: ByteStorage = memoryStorage({ clock: this.clock });
  readonly below: ByteStorage = memoryStorage({ clock: this.clock });
  /** Values of a key went below in the wrong order. */
  readonly wentBack: string[] = [];
  readonly #faults: ReadonlyMap<number, Fault>;
  readonly #mistake: Mistake | undefined;
  readonly #highest = new Map<string, number>();
  steps = 0;
  /** Counts the processes. */
  life = 0;

  constructor(faults: ReadonlyMap<number, Fault>, mistake?: Mistake) {
    this.#faults = faults;
    this.#mistake = mistake;
  }

  /** A new process. What the one before had under way never happens. */
  start(): ByteStorage {
    const life = ++this.life;
    const { clock } = this;
    const journal = new Stepped(this.journal, (change, signal) => this.#step(life, change, signal), this.#mistake);
    const below = new Stepped(this.below, async (change, signal, [key, version] = ["", undefined]) => {
      if (this.#mistake === "removes before it writes") await this.#forget(key);
      return await this.#step(life, () => (this.#watch(key, version), change()), signal);
    });
    return stack(below as ByteStorage, behind({ clock, journal, window: 50, concurrency: 2, maxPending: 12 }));
  }

  /** Lets time pass until a call has ended; `undefined` where it hangs or its process has died. */
  async settled<T>(call: Promise<T>): Promise<{ readonly isDone: boolean } | undefined> {
    const outcomes: { readonly isDone: boolean }[] = [];
    call.then(
      () => outcomes.push({ isDone: true }),
      () => outcomes.push({ isDone: false }),
    );
    for (let waits = 0; outcomes.length === 0 && waits < 40; waits++) await this.clock.advance(waits < 5 ? 0 : 5_000);
    return outcomes[0];
  }

  async #step<T>(life: number, change: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (life !== this.life) return await never;
    const fault = life === 1 ? this.#faults.get(++this.steps) : undefined;
    const failure = (outcome: "none" | "unknown"): StorageError => new StorageError("unavailable", `It ${fault}.`, { outcome });
    switch (fault) {
      case undefined:
        return await change();
      case "fails":
        throw failure("none");
      case "loses its answer":
        await change();
        throw failure("unknown");
      case "hangs":
        return await new Promise<never>((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
        );
      case "crashes after":
        await change();
        this.life++;
        return await never;
      case "crashes before":
        this.life++;
        return await never;
    }
  }

  #watch(key: string, version: number | undefined): void {
    if (version === undefined) return;
    const highest = this.#highest.get(key) ?? 0;
    if (version < highest) this.wentBack.push(`${key} went from ${highest} back to ${version}`);
    this.#highest.set(key, Math.max(highest, version));
  }

  async #forget(key: string): Promise<void> {
    for (const { key: name } of (await this.journal.list()).entries) {
      const record = await this.journal.get(name);
      if (name !== "owner" && new TextDecoder().decode(record).includes(key)) await this.journal.delete(name);
    }
  }
}

/** The version that a value carries. */
export function versionOf(value: Bytes): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(0);
}

type Step = <T>(change: () => Promise<T>, signal: AbortSignal | undefined, written?: readonly [string, number | undefined]) => Promise<T>;

/** Makes a step of every change, of a batch one for each of its operations. */
class Stepped extends ForwardingStorage<Bytes> {
  readonly name = "stepped";
  readonly #step: Step;
  readonly #mistake: Mistake | undefined;
  /** Removals that are put off, by the mistake that does the last ones first. */
  #putOff: string[] = [];

  constructor(below: ByteStorage, step: Step, mistake?: Mistake) {
    super(below);
    this.#step = step;
    this.#mistake = mistake;
  }

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const put = (): Promise<EntryInfo> => this.#step(() => super.put(key, value, options), options?.signal, [key, versionOf(value)]);
    if (this.#mistake !== "acknowledges before the journal has it" || key === "owner") return put();
    put().catch(() => {});
    return Promise.resolve({ key });
  }

  override async delete(key: string, options?: CallOptions): Promise<void> {
    if (this.#mistake !== "removes the newest first") return await this.#delete(key, options);
    this.#putOff.push(key);
    if (this.#putOff.length === 1) return;
    const [first, ...rest] = this.#putOff.toSorted().toReversed();
    await this.#delete(first!, options);
    this.#putOff = rest;
  }

  override async write(key: string, source: ByteSource, options?: PutOptions): Promise<EntryInfo> {
    const value = new Uint8Array(
      await new Response(ReadableStream.from((source as () => AsyncIterable<Bytes>)?.call?.(undefined) ?? source)).arrayBuffer(),
    );
    return await this.put(key, value, options);
  }

  override async batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    const failures: Failure[] = [];
    for (const [index, operation] of operations.entries()) {
      const { key } = operation;
      const call = operation.type === "put" ? this.put(key, operation.value, operation.options) : this.delete(key, options);
      await call.catch((error: unknown) => failures.push({ index, key, error }));
    }
    if (failures.length > 0) throw partial("batch", this.name, failures, operations.length);
  }

  #delete(key: string, options?: CallOptions): Promise<void> {
    return this.#step(() => super.delete(key, options), options?.signal, [key, undefined]);
  }
}
