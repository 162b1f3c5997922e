import type { Call, Deadlines, StreamEntry } from "@stowage/core";
import { Deadline, StorageError } from "@stowage/core";

/** Sends a call once. Streams tell the attempt of their progress. */
export type Send<T> = (signal: AbortSignal | undefined, attempt: Attempt<T>) => Promise<T>;

/** What the attempts of a layer share. */
export interface Attempts {
  readonly deadlines: Deadlines;
  readonly stats: { timeouts: number; late: number };
  /** What becomes of a call when an attempt failed, timed out or was aborted. */
  failed<T>(call: Call, send: Send<T>, error: unknown, startedAt: number): Promise<T>;
}

/** One attempt at a call, raced against the time limit and the caller's signal, which both end it although it may hang. */
export class Attempt<T> extends Deadline {
  readonly #call: Call;
  readonly #send: Send<T>;
  readonly #attempts: Attempts;
  readonly #settle: (value: T | Promise<T>) => void;
  #given = false;
  /** Ends the inner call where it cannot share the signal of its deadline: the caller has one, or a stream lives longer. */
  #controller: AbortController | undefined;

  constructor(call: Call, send: Send<T>, attempts: Attempts, settle: (value: T | Promise<T>) => void) {
    super();
    this.#call = call;
    this.#send = send;
    this.#attempts = attempts;
    this.#settle = settle;
  }

  start(): void {
    const caller = this.#call.options?.signal;
    this.#attempts.deadlines.join(this);
    if (caller !== undefined || this.#call.operation === "read" || this.#call.operation === "write") {
      this.#controller = new AbortController();
      if (caller?.aborted === true) return this.handleEvent();
      caller?.addEventListener("abort", this, { once: true });
    }
    try {
      this.#send(this.#controller === undefined ? this.signal : this.#controller.signal, this).then(
        (value) => this.#succeed(value),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Starts the time again, because the stream has moved. */
  progress(): void {
    if (this.#given) return;
    this.leave();
    this.#attempts.deadlines.join(this);
  }

  override expire(): void {
    this.#attempts.stats.timeouts++;
    this.#fail(attemptTimeout(this.#call));
  }

  /** The caller's signal was aborted. */
  handleEvent(): void {
    this.#fail(this.#call.options?.signal?.reason);
  }

  #succeed(value: T): void {
    if (this.#given) return this.#discard(value);
    this.#leave();
    this.#settle(value);
  }

  #fail(error: unknown): void {
    if (this.#given) return;
    const { startedAt } = this;
    this.#leave();
    this.#controller?.abort(error);
    this.#settle(this.#attempts.failed(this.#call, this.#send, error, startedAt));
  }

  #leave(): void {
    this.#given = true;
    this.leave();
    if (this.#controller !== undefined) this.#call.options?.signal?.removeEventListener("abort", this);
  }

  /** An attempt that was given up succeeded after all: nobody waits for its stream. */
  #discard(value: T): void {
    this.#attempts.stats.late++;
    if (this.#call.operation === "read") cancelStream(value as StreamEntry | undefined);
  }
}

/** Frees a stream that nobody will read. */
export function cancelStream(entry: StreamEntry | undefined): void {
  entry?.value.cancel().catch(() => {});
}

/** The error of an attempt that took too long. A write that timed out may have taken effect. */
export function attemptTimeout({ operation, key }: Pick<Call, "operation" | "key">): StorageError {
  return new StorageError("timeout", "The storage below did not answer within the time for one attempt.", {
    operation,
    key,
    storage: "retry",
    outcome: writes.has(operation) ? "unknown" : "none",
  });
}

const writes: ReadonlySet<string> = new Set(["put", "delete", "batch", "clear", "write"]);
