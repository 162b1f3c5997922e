import type { EntryInfo, Operation, PutOptions } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { ObservedCall } from "./calls.ts";
import type { MadeChange } from "./changes.ts";
import type { Hub } from "./hub.ts";

/** One call from its begin to its end, and what is told of it. It ends once, whatever comes later. */
export class Observation {
  readonly call: ObservedCall;
  readonly signal: AbortSignal | undefined;
  readonly #hub: Hub;
  readonly #beganAt: number;
  #hasEnded = false;
  #duration = 0;
  /** Milliseconds until a stream was handed out: how fast its reader is, is not the storage's doing. */
  #latency: number | undefined;
  #sent = false;
  #hits = 0;
  #misses = 0;
  #bytes = 0;

  constructor(hub: Hub, call: ObservedCall, signal: AbortSignal | undefined) {
    this.#hub = hub;
    this.call = call;
    this.signal = signal;
    this.#beganAt = hub.time();
  }

  /** The call went on to what is below, and may have an effect from now on. */
  sent(): void {
    this.#sent = true;
  }

  handedOut(): void {
    this.#latency = this.#hub.time() - this.#beganAt;
  }

  /** Ends with success; `tell` names what became of each key. */
  succeed(tell?: (observation: this) => void): void {
    if (!this.#end()) return;
    tell?.(this);
    this.#finish();
  }

  fail(error: unknown): void {
    if (!this.#end()) return;
    const { operation, keys, prefix, operations } = this.call;
    const failures = operation === "batch" && StorageError.is(error, "partial") ? error.failures : undefined;
    if (failures !== undefined && operations !== undefined) {
      const failed = new Map(failures.map((failure) => [failure.index, failure.error]));
      const allUnsure = this.#isUnsure(error); // of a batch that was sent again, a failure is that of the last time alone
      for (const [index, step] of operations.entries()) {
        if (!failed.has(index)) {
          this.did(step);
          continue;
        }
        this.#tellError(step.key, failed.get(index));
        if (allUnsure || this.#isUnsure(failed.get(index))) this.#change({ type: "unsure", key: step.key });
      }
    } else {
      this.#tellError(keys.length === 1 ? keys[0] : undefined, error);
      if (operation === "clear") {
        if (this.#sent && !isRefusedClear(error)) this.#change({ type: "unsure", prefix: prefix ?? "" });
      } else if (writes.has(operation) && this.#isUnsure(error)) {
        for (const key of keys) this.#change({ type: "unsure", key });
      }
    }
    this.#finish({ error });
  }

  got(key: string, hit: boolean, bytes: number | undefined): void {
    if (hit) this.#hits++;
    else this.#misses++;
    this.#bytes += bytes ?? 0;
    if (!this.#hub.listeners.has("get")) return;
    const { subject, operation } = this.call;
    const at = this.#hub.now();
    this.#hub.listeners.tell("get", { type: "get", subject, at, operation, duration: this.#duration, key, hit, bytes });
  }

  /** A put that has expired already is a delete. */
  put(key: string, bytes: number | undefined, info: EntryInfo | undefined, options: Omit<PutOptions, "signal"> | undefined): void {
    this.#bytes += bytes ?? 0;
    if (this.#hub.isDelete(options)) return this.deleted(key);
    this.#change({ type: "put", key, info });
    if (!this.#hub.listeners.has("put")) return;
    const { subject, operation } = this.call;
    const at = this.#hub.now();
    this.#hub.listeners.tell("put", { type: "put", subject, at, operation, duration: this.#duration, key, bytes, info });
  }

  deleted(key: string): void {
    this.#change({ type: "delete", key });
    if (!this.#hub.listeners.has("delete")) return;
    const { subject, operation } = this.call;
    const at = this.#hub.now();
    this.#hub.listeners.tell("delete", { type: "delete", subject, at, operation, duration: this.#duration, key });
  }

  cleared(prefix: string): void {
    this.#change({ type: "clear", prefix });
    if (!this.#hub.listeners.has("clear")) return;
    const { subject, operation } = this.call;
    const at = this.#hub.now();
    this.#hub.listeners.tell("clear", { type: "clear", subject, at, operation, duration: this.#duration, prefix });
  }

  /** One operation of a batch took effect. */
  did(operation: Operation<unknown>): void {
    if (operation.type === "put") this.put(operation.key, sizeOf(operation.value), undefined, operation.options);
    else this.deleted(operation.key);
  }

  #change(change: MadeChange): void {
    const { watchers } = this.#hub;
    if (watchers.size > 0) watchers.tell(change);
  }

  #tellError(key: string | undefined, error: unknown): void {
    if (!this.#hub.listeners.has("error")) return;
    const { subject, operation } = this.call;
    const at = this.#hub.now();
    this.#hub.listeners.tell("error", { type: "error", subject, at, operation, duration: this.#duration, key, error });
  }

  /** An abort says nothing of what it interrupted. */
  #isUnsure(error: unknown): boolean {
    return this.#sent && (!StorageError.is(error) || error.outcome === "unknown" || isAbort(error, this.signal));
  }

  /** False where it has ended before. */
  #end(): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    this.#duration = this.#hub.time() - this.#beganAt;
    return true;
  }

  #finish(failure?: { readonly error: unknown }): void {
    const { alerts, after, listeners } = this.#hub;
    const duration = this.#duration;
    const hits = this.#hits;
    const misses = this.#misses;
    const failed = failure !== undefined && this.#sent && isFault(failure.error, this.signal);
    alerts?.add(this.call.operation, { latency: this.#latency ?? duration, failed, hits, misses });
    if (after !== undefined) listeners.guard(after, this.call, { duration, hits, misses, bytes: this.#bytes, ...failure });
  }
}

/** Bytes of a value, where it is bytes. */
export function sizeOf(value: unknown): number | undefined {
  return value instanceof Uint8Array ? value.byteLength : undefined;
}

const writes: ReadonlySet<string> = new Set(["put", "write", "delete", "batch"]);

/** Whether a clear did not begin. Any other may have come half-way, also where what failed last has changed nothing. */
const isRefusedClear = (error: unknown): boolean => StorageError.is(error, "invalid-option") || StorageError.is(error, "unsupported");

/** Whether a call failed because its caller gave it up, for whatever reason. */
const isAbort = (error: unknown, signal: AbortSignal | undefined): boolean => signal?.aborted === true && error === signal.reason;

/** Whether a failure says something of the storage: not what the caller aborted or got wrong, nor a condition that did not hold. */
function isFault(error: unknown, signal: AbortSignal | undefined): boolean {
  if (isAbort(error, signal)) return false;
  if (!StorageError.is(error)) return signal?.aborted !== true;
  if (error.code === "partial" && error.failures !== undefined) return error.failures.some((failure) => isFault(failure.error, signal));
  return !ofCaller.has(error.code);
}

const ofCaller: ReadonlySet<string> = new Set([
  "closed",
  "invalid-key",
  "invalid-option",
  "invalid-value",
  "precondition-failed",
  "too-large",
  "unsupported",
]);
