import type { Deadlines } from "../contract/deadlines.ts";
import { Deadline } from "../contract/deadlines.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Call, Next, StreamEntry } from "../shapes/around-storage.ts";

/** Sends a call that must end within the time limit, and rejects it with `timeout` where it does not, although it may hang. */
export function sendInTime<T>(call: Call, next: Next<T>, deadlines: Deadlines, storage: string): Promise<T> {
  return new Promise<T>((resolve, reject) => new TimedCall(call, storage, resolve, reject).start(next, deadlines));
}

class TimedCall<T> extends Deadline {
  readonly #call: Call;
  readonly #storage: string;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #expired = false;
  /** Of its own for `read`, whose stream outlives the call and so cannot share the signal of the deadline. */
  #controller: AbortController | undefined;

  constructor(call: Call, storage: string, resolve: (value: T) => void, reject: (error: unknown) => void) {
    super();
    this.#call = call;
    this.#storage = storage;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(next: Next<T>, deadlines: Deadlines): void {
    deadlines.join(this);
    next(this.#signalBelow()).then(
      (value) => this.#succeed(value),
      (error: unknown) => {
        this.leave();
        this.#reject(error);
      },
    );
  }

  override expire(): void {
    this.#expired = true;
    const { operation, key } = this.#call;
    const outcome = writes.has(operation) ? "unknown" : "none";
    const error = new StorageError("timeout", "The storage below did not answer within the time limit.", {
      operation,
      key,
      outcome,
      storage: this.#storage,
    });
    this.#reject(error);
    this.#controller?.abort(error);
  }

  #signalBelow(): AbortSignal | undefined {
    if (this.#call.operation === "read") this.#controller = new AbortController();
    const own = this.#controller?.signal ?? this.signal;
    const caller = this.#call.options?.signal;
    return caller === undefined || own === undefined ? own : AbortSignal.any([caller, own]);
  }

  #succeed(value: T): void {
    this.leave();
    this.#resolve(value);
    if (!this.#expired || this.#call.operation !== "read") return;
    // Nobody waits for this stream any more.
    (value as StreamEntry | undefined)?.value.cancel().catch(() => {});
  }
}

const writes: ReadonlySet<string> = new Set(["put", "delete", "batch", "clear", "write"]);
