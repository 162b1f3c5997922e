import type { Clock } from "./clock.ts";

/** One call that must end in time. Joins `Deadlines`; whoever settles the call first leaves them. */
export abstract class Deadline {
  #window: Window | undefined;
  #previous: Deadline | undefined;
  #next: Deadline | undefined;

  /** Called once when the time is up, unless the deadline was left before. Must not throw. */
  abstract expire(): void;

  /** Aborted after `expire` was called, never for a call that left in time. Shared, so never give it to what outlives the call. */
  get signal(): AbortSignal | undefined {
    return this.#window?.signal;
  }

  /** When the call began, in milliseconds since the epoch, at most one step early. */
  get startedAt(): number {
    return this.#window?.startedAt ?? 0;
  }

  /** Ends the wait. Harmless when the deadline has expired or was left already. */
  leave(): void {
    const window = this.#window;
    if (window === undefined) return;
    if (this.#previous === undefined) window.first = this.#next;
    else this.#previous.#next = this.#next;
    if (this.#next !== undefined) this.#next.#previous = this.#previous;
    this.#window = this.#previous = this.#next = undefined;
  }

  /** @internal */
  enter(window: Window): void {
    this.#window = window;
    this.#next = window.first;
    if (window.first !== undefined) window.first.#previous = this;
    window.first = this;
  }
}

/** The calls that began within one step, and so expire together. */
interface Window {
  readonly startedAt: number;
  ticksLeft: number;
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  first: Deadline | undefined;
}

/** The longest step in milliseconds. A deadline expires at most two steps late. */
const longestStep = 25;

/**
 * One time limit for any number of calls, on one timer. Joining and leaving cost a few nanoseconds and no timer, because
 * the calls of one step (a sixteenth of the limit, at most 25 ms) share their moment: none expires early, none later than
 * two steps. The timer runs only while calls are waiting.
 */
export class Deadlines {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #step: number;
  #current: Window | undefined;
  #windows: Window[] = [];
  #ticking = false;

  /** @param limit milliseconds that a call may take, finite */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#step = Math.min(Math.max(limit / 16, 1), longestStep);
  }

  /** Starts the time of one call. */
  join(deadline: Deadline): void {
    deadline.enter((this.#current ??= this.#open()));
  }

  #open(): Window {
    const controller = new AbortController();
    const ticksLeft = Math.ceil(this.#limit / this.#step) + 1;
    const window: Window = { startedAt: this.#clock.now(), ticksLeft, controller, signal: controller.signal, first: undefined };
    this.#windows.push(window);
    if (!this.#ticking) void this.#tick();
    return window;
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    while (this.#windows.length > 0) {
      await this.#clock.sleep(this.#step);
      this.#current = undefined;
      // Ticks are counted, and not the time of day, which may be set forward while calls run.
      for (const window of this.#windows) if (--window.ticksLeft === 0) expire(window);
      this.#windows = this.#windows.filter((window) => window.first !== undefined);
    }
    this.#ticking = false;
  }
}

function expire(window: Window): void {
  for (let deadline = window.first; deadline !== undefined; deadline = window.first) {
    deadline.expire();
    deadline.leave();
  }
  window.controller.abort();
}
