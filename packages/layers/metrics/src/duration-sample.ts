import type { Histogram } from "./histogram.ts";
import { middleOf } from "./histogram.ts";

/** How many durations go out at once at the most: recording one takes OpenTelemetry longer than a call takes a cache. */
export const mostSamples = 256;

/**
 * The durations that were added to a histogram since the last time, or a sample of them that is spread evenly over them, so
 * that every quantile stays where it is.
 */
export class DurationSample {
  readonly #histogram: Histogram;
  /** What was in the buckets the last time. */
  readonly #seen: Float64Array;

  constructor(histogram: Histogram) {
    this.#histogram = histogram;
    this.#seen = new Float64Array(histogram.buckets.length);
  }

  /** @param record gets milliseconds */
  take(record: (duration: number) => void): void {
    const { buckets } = this.#histogram;
    let added = 0;
    for (let bucket = 0; bucket < buckets.length; bucket++) added += buckets[bucket]! - this.#seen[bucket]!;
    const step = Math.max(added / mostSamples, 1);
    let passed = 0;
    let next = step / 2;
    for (let bucket = 0; bucket < buckets.length; bucket++) {
      passed += buckets[bucket]! - this.#seen[bucket]!;
      for (; next < passed; next += step) record(middleOf(bucket));
    }
    this.#seen.set(buckets);
  }
}
