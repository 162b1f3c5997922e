import type { ByteSource, CallOptions, Operation } from "@stowage/core";
import { concatBytes, copyBytes, copyValue } from "@stowage/core";
import { watchSource } from "./faults/broken-stream.ts";
import type { CallName, Changes, Invocation } from "./faults/intercepted-storage.ts";

/** One call, as it came in, and what became of it. */
export interface RecordedCall {
  readonly operation: CallName;
  /** The key, for the operations that have one. */
  readonly key: string | undefined;
  /** Every key that the call names: one, or those of a `getEntries` or a `batch`. */
  readonly keys: readonly string[];
  /** What a `put` was given, copied when it came in; for a `write` the bytes that were read of its source so far. */
  readonly value: unknown;
  /** What a `batch` was given, copied when it came in. */
  readonly operations: readonly Operation<unknown>[] | undefined;
  readonly options: CallOptions | undefined;
  readonly outcome: "pending" | "resolved" | "rejected";
  /** What it rejected with, or threw. */
  readonly error: unknown;
}

/** Notes calls in the order in which they come in. */
export class CallLog {
  #calls: RecordedCall[] = [];

  get calls(): readonly RecordedCall[] {
    return this.#calls;
  }

  clear(): void {
    this.#calls = [];
  }

  /** Notes a call and what becomes of it. `run` gets the call to carry out. */
  record<T>(call: Invocation<T>, run: (call: Invocation<T>) => Promise<T>): Promise<T> {
    const note = new Note(call);
    this.#calls.push(note);
    try {
      const answer = run(call.operation === "write" ? watched(call, note.written) : call);
      answer.then(
        () => note.settle("resolved"),
        (error: unknown) => note.settle("rejected", error),
      );
      return answer;
    } catch (error) {
      note.settle("rejected", error);
      throw error;
    }
  }
}

class Note implements RecordedCall {
  readonly operation: CallName;
  readonly key: string | undefined;
  readonly keys: readonly string[];
  readonly operations: readonly Operation<unknown>[] | undefined;
  readonly options: CallOptions | undefined;
  outcome: RecordedCall["outcome"] = "pending";
  error: unknown;
  /** Chunks that were read of the source of a `write`. */
  readonly written: Uint8Array[] = [];
  readonly #put: unknown;

  constructor({ operation, key, keys, input, options }: Invocation) {
    this.operation = operation;
    this.key = key;
    this.keys = keys.slice();
    this.options = options;
    this.operations = operation === "batch" ? copyIfPossible(input as readonly Operation<unknown>[]) : undefined;
    this.#put = operation === "put" ? copyIfPossible(input) : undefined;
  }

  get value(): unknown {
    return this.operation === "write" ? concatBytes(this.written) : this.#put;
  }

  settle(outcome: "resolved" | "rejected", error?: unknown): void {
    this.outcome = outcome;
    this.error = error;
  }
}

/** What cannot be copied is no value, and will be refused as it is. */
function copyIfPossible<T>(value: T): T {
  try {
    return copyValue(value);
  } catch {
    return value;
  }
}

/** The same write, noting what is read of its source. */
function watched<T>(call: Invocation<T>, written: Uint8Array[]): Invocation<T> {
  const see = (chunk: Uint8Array | "again"): void => {
    if (chunk === "again") written.length = 0;
    else if (chunk instanceof Uint8Array) written.push(copyBytes(chunk));
  };
  const input = watchSource(call.input as ByteSource, see);
  return { ...call, input, perform: (changes?: Changes) => call.perform({ ...changes, source: changes?.source ?? input }) };
}
