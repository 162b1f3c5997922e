import type { Operation, OperationName } from "@stowage/core";

/** A call as `before` and `after` see it. */
export interface ObservedCall {
  /** The place of the layer: its option `subject`. */
  readonly subject: string;
  readonly operation: OperationName;
  /** The keys that it is about; none for `list`, `clear` and `flush`. */
  readonly keys: readonly string[];
  /** What `list` and `clear` are about, empty for everything; `undefined` elsewhere. */
  readonly prefix: string | undefined;
  /** What a `batch` does; `undefined` elsewhere. */
  readonly operations: readonly Operation<unknown>[] | undefined;
}

/** How a call ended. */
export interface CallOutcome {
  /** Milliseconds from the call to its end; for `read` to the end of its stream. */
  readonly duration: number;
  /** What it was rejected with. */
  readonly error?: unknown;
  /** Keys that were asked for and had a value. */
  readonly hits: number;
  /** Keys that were asked for and had none. */
  readonly misses: number;
  /** Bytes of values that went in or out, as far as known. */
  readonly bytes: number;
}

/** Runs before a call is sent. What it throws or rejects with refuses the call. */
export type Before = (call: ObservedCall) => void | Promise<void>;

/** Runs after a call has ended, once for each. It changes nothing and is not waited for. */
export type After = (call: ObservedCall, outcome: CallOutcome) => void;
