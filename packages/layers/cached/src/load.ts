import type { Deadlines, Entry } from "@stowage/core";
import { Deadline, StorageError, whenAborted } from "@stowage/core";

/** One load that any number of callers wait for. Each may leave by its own signal; when nobody is left it is ended. */
export class Load<V> extends Deadline {
  readonly key: string;
  readonly promise: Promise<Entry<V> | undefined>;
  readonly #controller = new AbortController();
  readonly #abandoned: (load: Load<V>) => void;
  #resolve!: (entry: Entry<V> | undefined) => void;
  #reject!: (error: unknown) => void;
  #waiting = 0;

  /** @param abandoned told when the load ended before it had an answer */
  constructor(key: string, deadlines: Deadlines, abandoned: (load: Load<V>) => void) {
    super();
    this.key = key;
    this.#abandoned = abandoned;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => {}); // who waits gets it; a load in the background has nobody
    deadlines.join(this);
  }

  /** Ends the call below. */
  get ended(): AbortSignal {
    return this.#controller.signal;
  }

  succeed(entry: Entry<V> | undefined): void {
    this.leave();
    this.#resolve(entry);
  }

  fail(error: unknown): void {
    this.leave();
    this.#reject(error);
  }

  override expire(): void {
    this.#end(
      new StorageError("timeout", "The storage below did not answer a load within loadTimeout.", {
        operation: "get",
        storage: "cached",
        key: this.key,
      }),
    );
  }

  /** The answer for one caller. */
  wait(signal: AbortSignal | undefined): Promise<Entry<V> | undefined> {
    this.#waiting++;
    if (signal === undefined) return this.promise;
    const aborted = whenAborted(signal);
    return Promise.race([this.promise, aborted.promise]).finally(() => {
      aborted.dispose();
      if (--this.#waiting === 0 && signal.aborted) this.#end(signal.reason);
    });
  }

  #end(reason: unknown): void {
    this.#abandoned(this);
    this.fail(reason);
    this.#controller.abort(reason);
  }
}
