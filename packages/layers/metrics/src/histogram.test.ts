import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram, longest, relativeError, shortest } from "./histogram.ts";

const of = (durations: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const duration of durations) histogram.record(duration);
  return histogram;
};

/** The nearest-rank quantile of all durations as they were. */
function exactQuantile(durations: readonly number[], share: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(sorted.length * share), 1) - 1]!;
}

const duration = fc.oneof(
  fc.double({ min: shortest, max: longest * (1 - 1e-9), noNaN: true }),
  fc.double({ min: -12, max: 21.9, noNaN: true }).map((power) => 2 ** power),
  fc.integer({ min: -12, max: 21 }).map((power) => 2 ** power),
);
const share = fc.oneof(fc.constantFrom(0.5, 0.9, 0.99, 0.999), fc.double({ min: 0, max: 1, noNaN: true }));

test("every quantile is within the stated error of the exact one", () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), share, (durations, wanted) => {
      const exact = exactQuantile(durations, wanted);
      expect(Math.abs(of(durations).quantile(wanted) - exact) / exact).toBeLessThanOrEqual(relativeError);
    }),
    { numRuns: 1_000 },
  );
});

test("the stated error is not larger than it has to be", () => {
  const worst = of([1]).quantile(0.5) - 1;
  expect(worst).toBeCloseTo(relativeError, 10);
});

test("count and sum are exact, and two histograms together are that of all", () => {
  fc.assert(
    fc.property(fc.array(duration), fc.array(duration), (some, others) => {
      const together = of(some);
      together.add(of(others));
      const all = of([...some, ...others]);
      expect(together.count).toBe(some.length + others.length);
      expect(together.buckets).toEqual(all.buckets);
      expect(together.sum).toBeCloseTo(all.sum, 3);
    }),
  );
});

test("what is too short counts as none, what is too long as the longest, and nothing is lost", () => {
  const odd = of([0, -5, shortest / 2, Number.MIN_VALUE, longest, longest * 1_000, Number.POSITIVE_INFINITY, Number.NaN]);
  expect(odd.count).toBe(8);
  expect(odd.buckets.reduce((sum, count) => sum + count)).toBe(8);
  expect(odd.quantile(0.5)).toBe(0);
  expect(odd.quantile(0.9)).toBe(longest);
});

test("a clock that was set back takes nothing off the sum", () => {
  expect(of([10, -1_000]).sum).toBe(10);
});

test("the quantile of nothing is none", () => {
  expect(new Histogram().quantile(0.99)).toBe(0);
});

test("its memory does not grow", () => {
  expect(of(Array.from({ length: 100_000 }, (_, index) => index)).buckets.byteLength).toBeLessThanOrEqual(4_500);
});
