import type { OperationName } from "@stowage/core";
import { Deadline, StorageError } from "@stowage/core";
import type { Replica } from "./replica.ts";

/** Sends a call to a storage; the signal is aborted when nobody waits for it any more. */
export type Send<T> = (signal: AbortSignal | undefined) => Promise<T>;

/** One call to one replica: raced against the time limit, and counted for or against the replica. */
export abstract class ReplicaCall<T> extends Deadline {
  readonly operation: OperationName;
  readonly replica: Replica;
  #ended = false;

  constructor(replica: Replica, operation: OperationName) {
    super();
    this.replica = replica;
    this.operation = operation;
  }

  protected abstract succeeded(answer: T): void;
  /** Gets what the replica rejected with, or why it was not asked or not waited for. */
  abstract fail(error: unknown): void;
  /** An answer that came when nobody waited any more. */
  protected late(_answer: T): void {}

  start(send: Send<T>, signal: AbortSignal | undefined): void {
    const own = this.signal;
    const both = signal === undefined || own === undefined ? (signal ?? own) : AbortSignal.any([signal, own]);
    let sent: Promise<T>;
    try {
      sent = send(both);
    } catch (error) {
      sent = Promise.reject(error);
    }
    sent.then(
      (answer) => {
        if (this.#ended) return this.late(answer);
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
    this.fail(
      new StorageError("timeout", `The replica "${this.replica.name}" did not answer within the time limit.`, {
        operation: this.operation,
        storage: "composite",
        outcome: writes.has(this.operation) ? "unknown" : "none",
      }),
    );
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
