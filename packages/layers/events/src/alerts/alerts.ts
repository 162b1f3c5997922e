import type { Clock, OperationName } from "@stowage/core";
import { systemClock } from "@stowage/core";
import type { Alert, AlertOperation } from "./alert.ts";
import type { Sample } from "./sliding-window.ts";
import { SlidingWindow } from "./sliding-window.ts";

/** Hears of an alert that was raised or cleared. */
export type OnAlert = (alert: Alert, state: "raised" | "cleared", value: number | undefined) => void;

const counted: Readonly<Record<OperationName, AlertOperation>> = {
  get: "get",
  getEntry: "get",
  getEntries: "get",
  read: "get",
  put: "put",
  write: "put",
  delete: "delete",
  batch: "batch",
  clear: "clear",
  list: "list",
  head: "head",
  has: "head",
  flush: "flush",
};

/** The alerts of one layer. A call costs the same however many there were; the limits are looked at by a timer that keeps no process alive. */
export class Alerts {
  readonly #monitors: readonly Monitor[];
  readonly #clock: Clock;
  readonly #time: () => number;
  readonly #onAlert: OnAlert;
  readonly #closing = new AbortController();
  #ticking = false;

  /** @param time milliseconds that only grow, by which `for` and windows go */
  constructor(alerts: readonly Alert[], clock: Clock, time: () => number, onAlert: OnAlert) {
    this.#monitors = alerts.map((alert) => new Monitor(alert, time()));
    this.#clock = clock;
    this.#time = time;
    this.#onAlert = onAlert;
  }

  /** Alerts that are raised now. */
  get raised(): number {
    return this.#monitors.filter(({ raised }) => raised).length;
  }

  add(operation: OperationName, sample: Sample): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#time();
    for (const monitor of this.#monitors) monitor.add(counted[operation], sample, now);
    if (!this.#ticking) void this.#tick();
  }

  close(): void {
    this.#closing.abort();
  }

  /** Runs until nothing is left that could raise or clear an alert. */
  async #tick(): Promise<void> {
    this.#ticking = true;
    const step = Math.min(...this.#monitors.map((monitor) => monitor.step));
    do {
      if (!(await passed(step, this.#clock, this.#closing.signal))) return;
      for (const monitor of this.#monitors) monitor.check(this.#time(), this.#onAlert);
    } while (this.#monitors.some((monitor) => monitor.isBusy));
    this.#ticking = false;
  }
}

class Monitor {
  readonly #alert: Alert;
  readonly #window: SlidingWindow;
  raised = false;
  /** Since when the value has been on the other side of the limit. */
  #turnedAt: number | undefined;
  #firstAt: number | undefined;

  constructor(alert: Alert, now: number) {
    this.#alert = alert;
    this.#window = new SlidingWindow(windowOf(alert), alert.metric === "latency", now);
  }

  get step(): number {
    return this.#window.step;
  }

  /** Whether time alone may raise or clear it. */
  get isBusy(): boolean {
    const { metric, below } = this.#alert;
    const raisedBySilence = metric === "operationsPerSecond" && below !== undefined && this.#firstAt !== undefined;
    return this.#window.total.calls > 0 || this.raised || this.#turnedAt !== undefined || raisedBySilence;
  }

  add(operation: AlertOperation, sample: Sample, now: number): void {
    if (this.#alert.operation !== undefined && this.#alert.operation !== operation) return;
    this.#firstAt ??= now;
    this.#window.add(sample, now);
  }

  check(now: number, onAlert: OnAlert): void {
    this.#window.advance(now);
    const value = this.#measure(now);
    const { above = Infinity, below = -Infinity } = this.#alert;
    const beyond = value !== undefined && (value > above || value < below);
    if (beyond === this.raised) return void (this.#turnedAt = undefined);
    this.#turnedAt ??= now;
    if (now - this.#turnedAt < (this.#alert.for ?? 0)) return;
    this.#turnedAt = undefined;
    this.raised = beyond;
    onAlert(this.#alert, beyond ? "raised" : "cleared", value);
  }

  /** `undefined` where there is nothing to measure; no calls at all are 0 per second, once a whole window has passed. */
  #measure(now: number): number | undefined {
    const { metric, percentile = 99, below } = this.#alert;
    const { calls, errors, hits, misses, latencies } = this.#window.total;
    switch (metric) {
      case "operationsPerSecond": {
        const duration = windowOf(this.#alert);
        const tooEarly = this.#firstAt === undefined || now - this.#firstAt < duration;
        return below !== undefined && tooEarly ? undefined : calls / (duration / 1000);
      }
      case "latency":
        return latencies?.percentile(percentile / 100);
      case "errorRate":
        return calls === 0 ? undefined : errors / calls;
      case "hitRatio":
        return hits + misses === 0 ? undefined : hits / (hits + misses);
    }
  }
}

const windowOf = ({ window = 60_000 }: Alert): number => window;

/** Waits in the background; false where the layer was closed meanwhile. */
function passed(duration: number, clock: Clock, closing: AbortSignal): Promise<boolean> {
  if (clock !== systemClock) {
    return clock.sleep(duration, closing).then(
      () => true,
      () => false,
    );
  }
  return new Promise((resolve) => {
    const timer: ReturnType<typeof setTimeout> & { unref?(): unknown } = setTimeout(() => finish(true), duration);
    timer.unref?.(); // the clock of the machine keeps the process alive while somebody sleeps
    const stop = (): void => finish(false);
    const finish = (whole: boolean): void => {
      clearTimeout(timer);
      closing.removeEventListener("abort", stop);
      resolve(whole);
    };
    closing.addEventListener("abort", stop);
  });
}
