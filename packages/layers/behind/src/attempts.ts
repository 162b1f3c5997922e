import type { Clock } from "@stowage/core";
import { Deadline, Deadlines, StorageError } from "@stowage/core";

/** Calls of the storage below that are under way. Each is told to end when its time is up, all of them when `stop` is aborted. */
export class Attempts {
  readonly #deadlines: Deadlines;
  readonly #stop: AbortSignal;
  readonly #running = new Set<Attempt>();

  constructor(timeout: number, clock: Clock, stop: AbortSignal) {
    this.#deadlines = new Deadlines(timeout, clock);
    this.#stop = stop;
    stop.addEventListener("abort", () => this.#end(), { once: true });
  }

  /** Runs a call, and waits for it also after it was told to end. */
  async run(call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    this.#stop.throwIfAborted();
    const attempt = new Attempt();
    this.#deadlines.join(attempt);
    this.#running.add(attempt);
    try {
      await call(attempt.abortion.signal);
    } finally {
      this.#running.delete(attempt);
      attempt.leave();
    }
  }

  #end(): void {
    for (const attempt of this.#running) {
      attempt.leave();
      attempt.abortion.abort(this.#stop.reason);
    }
  }
}

class Attempt extends Deadline {
  readonly abortion: AbortController = new AbortController();

  override expire(): void {
    const error = new StorageError("timeout", "The storage below did not answer in time.", { storage: "behind", outcome: "unknown" });
    this.abortion.abort(error);
  }
}
