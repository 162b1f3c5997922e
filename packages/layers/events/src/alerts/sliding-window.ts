import { Histogram } from "./histogram.ts";

/** What one call adds to a window. */
export interface Sample {
  /** Milliseconds. */
  readonly latency: number;
  readonly failed: boolean;
  readonly hits: number;
  readonly misses: number;
}

/** Parts that a window is cut into, beside the one that is being filled. */
const parts = 10;

class Sums {
  calls = 0;
  errors = 0;
  hits = 0;
  misses = 0;
  readonly latencies: Histogram | undefined;

  constructor(withLatencies: boolean) {
    this.latencies = withLatencies ? new Histogram() : undefined;
  }

  add({ latency, failed, hits, misses }: Sample): void {
    this.calls++;
    if (failed) this.errors++;
    this.hits += hits;
    this.misses += misses;
    this.latencies?.add(latency);
  }

  subtract(other: Sums): void {
    this.calls -= other.calls;
    this.errors -= other.errors;
    this.hits -= other.hits;
    this.misses -= other.misses;
    if (other.latencies !== undefined) this.latencies?.subtract(other.latencies);
  }

  clear(): void {
    this.calls = this.errors = this.hits = this.misses = 0;
    this.latencies?.clear();
  }
}

/** What happened within the last while: a ring of sums, of the same size however many calls there are. */
export class SlidingWindow {
  /** Milliseconds of one part. */
  readonly step: number;
  readonly total: Sums;
  readonly #ring: readonly Sums[];
  #current = 0;
  /** When the current part began. */
  #beganAt: number;

  constructor(duration: number, withLatencies: boolean, now: number) {
    this.step = duration / parts;
    this.total = new Sums(withLatencies);
    this.#ring = Array.from({ length: parts + 1 }, () => new Sums(withLatencies));
    this.#beganAt = now;
  }

  add(sample: Sample, now: number): void {
    this.advance(now);
    (this.#ring[this.#current] as Sums).add(sample);
    this.total.add(sample);
  }

  /** Lets go of what is too old. */
  advance(now: number): void {
    if (now < this.#beganAt) this.#beganAt = now; // the clock was set back
    const steps = Math.floor((now - this.#beganAt) / this.step);
    if (steps === 0) return;
    this.#beganAt += steps * this.step;
    for (let step = Math.min(steps, this.#ring.length); step > 0; step--) {
      this.#current = (this.#current + 1) % this.#ring.length;
      const oldest = this.#ring[this.#current] as Sums;
      this.total.subtract(oldest);
      oldest.clear();
    }
  }
}
