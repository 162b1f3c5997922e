import type {
  AnyLayer,
  ByteSource,
  Call,
  Clock,
  Details,
  EntryInfo,
  Next,
  ReadOptions,
  Storage,
  StreamEntry,
  WriteOptions,
} from "@stowage/core";
import {
  anyLayer,
  AroundStorage,
  cancelSource,
  checkSource,
  Deadlines,
  isConditional,
  isRepeatable,
  tappedSource,
  withExpiry,
  writing,
} from "@stowage/core";
import type { Attempts, Send } from "./attempt.ts";
import { Attempt } from "./attempt.ts";
import { Budget } from "./budget.ts";
import type { RetryOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import { resumedStream } from "./resumed-stream.ts";
import type { Schedule } from "./schedule.ts";
import { mayRepeat, repeat } from "./schedule.ts";

/**
 * Repeats calls that failed for a passing reason, and ends attempts that hang.
 *
 * Place in the stack: right above the backend, below what changes bytes, so that nothing is encrypted or compressed twice.
 *
 * @throws StorageError `invalid-option`
 */
export function retry(options: RetryOptions = {}): AnyLayer {
  const settings = settle(options);
  return anyLayer((inner) => new RetryStorage(inner, settings, options.clock));
}

/** What `retry()` makes; `details().stats` has its counters. */
export class RetryStorage<V> extends AroundStorage<V> {
  readonly name = "retry";
  readonly #settings: Settings;
  readonly #deadlines: Deadlines;
  readonly #first: Attempts;
  readonly #later: Attempts;
  readonly #schedule: Schedule;
  readonly #closing = new AbortController();
  readonly #stats = { retries: 0, budgetRefusals: 0, timeouts: 0, late: 0, resumed: 0 };

  constructor(inner: Storage<V>, settings: Settings, clock?: Clock) {
    super(inner, clock);
    this.#settings = settings;
    const limit = Math.min(settings.attemptTimeout, settings.totalTimeout);
    this.#deadlines = new Deadlines(limit, settings.clock);
    const shared = { deadlines: this.#deadlines, stats: this.#stats };
    this.#first = { ...shared, failed: (call, send, error, startedAt) => this.#recover(call, send, error, startedAt) };
    this.#later = { ...shared, failed: (_call, _send, error) => Promise.reject(error) };
    this.#schedule = { settings, budget: new Budget(settings.budget, settings.clock), closing: this.#closing.signal, stats: this.#stats };
  }

  protected override around<T>(call: Call, next: Next<T>): Promise<T> {
    return this.#attempt(call, next);
  }

  /** Time without progress takes the place of the limits for a streamed write. */
  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return writing(source, () => {
      checkSource(source, this.name, key);
      const settled = withExpiry(options, this.clock, this, "write");
      const repeatable = !isRepeatable(source) ? "never" : isConditional(settled) ? "without-effect" : "always";
      const written = this.#attempt<EntryInfo>({ operation: "write", key, options: settled, repeatable }, (signal, attempt) =>
        this.belowBytes.write(key, watchedSource(source, attempt, signal), { ...settled, signal }),
      );
      return written.catch((error: unknown) => {
        cancelSource(source, error); // where no attempt was sent
        throw error;
      });
    });
  }

  protected override aroundStream(
    call: Call,
    entry: StreamEntry,
    again: (options: ReadOptions) => Promise<StreamEntry | undefined>,
  ): StreamEntry {
    const onResume = (): void => void this.#stats.resumed++;
    return {
      ...entry,
      value: resumedStream(entry, { call, deadlines: this.#deadlines, schedule: this.#schedule, again, onResume }),
    };
  }

  override close(): Promise<void> {
    this.#closing.abort();
    return this.below.close();
  }

  override details(): Details {
    const { attempts, attemptTimeout, totalTimeout, minDelay, maxDelay, budget } = this.#settings;
    return { options: { attempts, attemptTimeout, totalTimeout, minDelay, maxDelay, budget }, stats: { ...this.#stats } };
  }

  #attempt<T>(call: Call, send: Send<T>): Promise<T> {
    this.#schedule.budget.countCall();
    return new Promise<T>((resolve) => new Attempt(call, send, this.#first, resolve).start());
  }

  async #recover<T>(call: Call, send: Send<T>, failure: unknown, startedAt: number): Promise<T> {
    if (!mayRepeat(failure, call)) throw failure;
    const streamed = call.operation === "write";
    const deadline = streamed ? Infinity : startedAt + this.#settings.totalTimeout;
    let current: Attempt<T> | undefined;
    const once = (): Promise<T> =>
      new Promise<T>((resolve) => {
        current = new Attempt(call, send, this.#later, resolve);
        current.start();
      });
    const done = new AbortController();
    if (!streamed) {
      const timeIsUp = (): void => current?.expire();
      const { clock } = this.#settings;
      clock.sleep(Math.max(deadline - clock.now(), 0), done.signal).then(timeIsUp, () => {});
    }
    try {
      return await repeat({ call, failure, deadline, send: once }, this.#schedule);
    } finally {
      done.abort();
    }
  }
}

/** A source whose chunks are progress of an attempt, and which is cancelled with the attempt although the storage that reads it hangs. */
function watchedSource(source: ByteSource, attempt: { progress(): void }, signal: AbortSignal | undefined): ByteSource {
  const tapped = tappedSource(source, () => () => attempt.progress());
  let opened = typeof tapped === "function" ? undefined : tapped;
  signal?.addEventListener("abort", () => opened && cancelSource(opened, signal.reason), { once: true });
  return typeof tapped === "function" ? () => (opened = tapped()) : tapped;
}
