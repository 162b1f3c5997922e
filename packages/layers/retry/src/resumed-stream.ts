import type { Bytes, Call, Deadlines, ReadOptions, StreamEntry } from "@stowage/core";
import { Deadline, resolveRange, StorageError, whenAborted } from "@stowage/core";
import { attemptTimeout, cancelStream } from "./attempt.ts";
import type { Schedule } from "./schedule.ts";
import { mayRepeat, pause } from "./schedule.ts";

/** How to go on reading, and what to count. */
export interface Resuming {
  readonly call: Call;
  readonly deadlines: Deadlines;
  readonly schedule: Schedule;
  readonly again: (options: ReadOptions) => Promise<StreamEntry | undefined>;
  readonly onResume: () => void;
}

/**
 * The stream of an entry, opened again where it breaks or stands still, at the byte it had reached and of the same
 * version. An entry without an etag cannot be told from a newer one, so its stream is only watched.
 */
export function resumedStream(entry: StreamEntry, resuming: Resuming): ReadableStream<Bytes> {
  const state = new ResumedStream(entry, resuming);
  return new ReadableStream<Bytes>(
    {
      pull: async (controller) => {
        const chunk = await state.next();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: (reason) => state.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

class ResumedStream {
  readonly #entry: StreamEntry;
  readonly #resuming: Resuming;
  readonly #caller: AbortSignal | undefined;
  #reader: ReadableStreamDefaultReader<Bytes>;
  #received = 0;
  /** Failures since the last chunk. */
  #failures = 0;

  constructor(entry: StreamEntry, resuming: Resuming) {
    this.#entry = entry;
    this.#resuming = resuming;
    this.#caller = resuming.call.options?.signal;
    this.#reader = entry.value.getReader();
  }

  /** The next chunk, or `undefined` at the end. */
  async next(): Promise<Bytes | undefined> {
    for (;;) {
      try {
        const step = await this.#inTime(() => this.#reader.read());
        if (step.done) return undefined;
        this.#received += step.value.byteLength;
        this.#failures = 0;
        return step.value;
      } catch (error) {
        this.#drop(error);
        await this.#resume(error);
      }
    }
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }

  /** Opens the rest of the same version, or throws the failure that cannot be got over. */
  async #resume(failure: unknown): Promise<void> {
    const { call, schedule, again, onResume } = this.#resuming;
    const rest = this.#rest();
    for (let error = failure; ;) {
      this.#caller?.throwIfAborted();
      if (rest === undefined || !mayRepeat(error, call)) throw error;
      this.#failures++;
      if (this.#failures >= schedule.settings.attempts) throw error;
      if (!(await pause(this.#failures, error, Infinity, schedule, this.#caller))) throw error;
      try {
        const opening = again({ ...rest, signal: this.#caller });
        const entry = await this.#inTime(() => opening).catch((late: unknown) => {
          opening.then(cancelStream, () => {});
          throw late;
        });
        if (entry === undefined) throw changed(call);
        this.#reader = entry.value.getReader();
        onResume();
        return;
      } catch (next) {
        if (StorageError.is(next, "precondition-failed")) throw changed(call, next);
        error = next;
      }
    }
  }

  /** What is left to read, where it can be named. */
  #rest(): ReadOptions | undefined {
    const { etag, size } = this.#entry;
    const options: ReadOptions = this.#resuming.call.options ?? {};
    if (etag === undefined) return undefined;
    if (size !== undefined) {
      const { start, end } = resolveRange(size, options.start, options.end);
      return { start: start + this.#received, end, ifMatch: etag };
    }
    const { start = 0, end } = options;
    return start < 0 || (end !== undefined && end < 0) ? undefined : { start: start + this.#received, end, ifMatch: etag };
  }

  /** Races a step against the time without progress and the caller's signal. */
  async #inTime<T>(step: () => Promise<T>): Promise<T> {
    this.#caller?.throwIfAborted();
    const { deadlines, call } = this.#resuming;
    const aborted = this.#caller && whenAborted(this.#caller);
    const stalled = new Stalled();
    deadlines.join(stalled);
    try {
      const running = step();
      return await Promise.race(aborted === undefined ? [running, stalled.promise] : [running, stalled.promise, aborted.promise]);
    } catch (error) {
      throw error === stalled ? attemptTimeout(call) : error;
    } finally {
      stalled.leave();
      aborted?.dispose();
    }
  }

  #drop(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
  }
}

/** Rejects with itself when its time is up. */
class Stalled extends Deadline {
  readonly promise: Promise<never>;
  #reject: (reason: unknown) => void = () => {};

  constructor() {
    super();
    this.promise = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.promise.catch(() => {});
  }

  override expire(): void {
    this.#reject(this);
  }
}

function changed({ key, operation }: Call, cause?: unknown): StorageError {
  return new StorageError("conflict", "The entry changed while its broken stream was resumed; read it again from the start.", {
    operation,
    key,
    storage: "retry",
    cause,
  });
}
