import type { OperationName } from "@stowage/core";
import { Deadline, StorageError } from "@stowage/core";
import type { StreamEntry } from "./reads.ts";
import type { Replica } from "./replica.ts";

/** Sends a call to a storage; the signal is aborted when nobody waits for it any more. */
export type Send<T> = (signal: AbortSignal | undefined) => Promise<T>;

/** One call to one replica: raced against the time limit, and counted for or against the replica. */
export abstract class ReplicaCall<T> extends Deadline {
  readonly operation: OperationName;
  readonly replica: Replica;
  #ended = false;
  /** Of its own for `read`, whose stream outlives the call and so cannot share the signal of the deadline. */
  #controller: AbortController | undefined;

  constructor(replica: Replica, operation: OperationName) {
    super();
    this.replica = replica;
    this.operation = operation;
  }

  protected abstract succeeded(answer: T): void;
  /** Gets what the replica rejected with, or why it was not asked or not waited for. */
  abstract fail(error: unknown): void;

  start(send: Send<T>, signal: AbortSignal | undefined): void {
    if (this.operation === "read") this.#controller = new AbortController();
    const own = this.#controller?.signal ?? this.signal;
    const both = signal === undefined || own === undefined ? (signal ?? own) : AbortSignal.any([signal, own]);
    let sent: Promise<T>;
    try {
      sent = send(both);
    } catch (error) {
      sent = Promise.reject(error);
    }
    sent.then(
      (answer) => {
        if (this.#ended) return this.#letGo(answer);
        this.#end();
        this.replica.breaker.succeeded();
        this.succeeded(answer);
      },
      (error: unknown) => {
        if (this.#ended) return;
        this.#end();
        this.#count(error, signal);
        this.fail(error);
      },
    );
  }

  override expire(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.replica.stats.timeouts++;
    this.replica.stats.failures++;
    this.replica.breaker.failed();
    const error = new StorageError("timeout", `The replica "${this.replica.name}" did not answer within the time limit.`, {
      operation: this.operation,
      storage: "composite",
      outcome: writes.has(this.operation) ? "unknown" : "none",
    });
    this.fail(error);
    this.#controller?.abort(error);
  }

  /** Nobody waits any more for what came now. */
  #letGo(answer: T): void {
    if (this.operation === "read") (answer as StreamEntry | undefined)?.value.cancel().catch(() => {});
  }

  #end(): void {
    this.#ended = true;
    this.leave();
  }

  #count(error: unknown, signal: AbortSignal | undefined): void {
    const { breaker, stats } = this.replica;
    if (signal?.aborted === true) breaker.gaveUp();
    else if (isDown(error)) {
      stats.failures++;
      breaker.failed();
    } else breaker.succeeded();
  }
}

/** A call whose end is a promise. */
export class PromisedCall<T> extends ReplicaCall<T> {
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(replica: Replica, operation: OperationName, resolve: (answer: T) => void, reject: (error: unknown) => void) {
    super(replica, operation);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected override succeeded(answer: T): void {
    this.#resolve(answer);
  }

  override fail(error: unknown): void {
    this.#reject(error);
  }
}

const writes: ReadonlySet<OperationName> = new Set<OperationName>(["put", "delete", "write", "clear", "batch"]);

/** Whether an error says something about the replica, and not only about the entry or the call. */
function isDown(error: unknown): boolean {
  if (!StorageError.is(error)) return false;
  return error.code === "closed" || (error.retryable && error.code !== "conflict" && error.code !== "partial");
}

/** Whether another replica may be asked instead: what passes, a closed replica, and damage. Never absence, denial or an abort. */
export function mayAskAnother(error: unknown): boolean {
  if (!StorageError.is(error)) return false;
  return error.retryable || error.code === "closed" || isDamage(error);
}

/** Whether an entry is there and cannot be read, which another replica may have whole. */
export function isDamage(error: unknown): error is StorageError {
  return StorageError.is(error, "corrupt") || StorageError.is(error, "tampered");
}
