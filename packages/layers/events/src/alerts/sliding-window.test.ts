import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";
import { SlidingWindow } from "./sliding-window.ts";

test("a percentile is at most 6 % off, from a hundredth of a millisecond to an hour", () => {
  const durations = fc.array(fc.double({ min: 0.01, max: 3_600_000, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.double({ min: 0.01, max: 1, noNaN: true }), (numbers, share) => {
      const histogram = new Histogram();
      for (const number of numbers) histogram.add(number);
      const exact = numbers.toSorted((a, b) => a - b)[Math.ceil(share * numbers.length) - 1] as number;
      expect(Math.abs((histogram.percentile(share) as number) / exact - 1)).toBeLessThan(0.063);
    }),
  );
});

test.each([0, -1, Number.NaN, 1e-30, 1e30, Infinity])("a duration of %d is counted at one of the ends", (duration) => {
  const histogram = new Histogram();
  histogram.add(duration);
  expect(histogram.percentile(1)).toBeGreaterThan(0);
  histogram.clear();
  expect(histogram.percentile(1)).toBeUndefined();
});

test("a window tells what a list of all calls tells, give or take the part that is being filled", () => {
  const sample = fc.record({
    wait: fc.integer({ min: 0, max: 300 }),
    latency: fc.integer({ min: 1, max: 100 }),
    failed: fc.boolean(),
    hits: fc.nat(3),
    misses: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 200 }), fc.integer({ min: 0, max: 3_000 }), (samples, rest) => {
      const window = new SlidingWindow(1_000, true, 0);
      let now = 0;
      const all = samples.map((one) => {
        now += one.wait;
        window.add(one, now);
        return { ...one, at: now };
      });
      now += rest;
      window.advance(now);
      const since = (Math.floor(now / 100) - 10) * 100;
      const kept = all.filter(({ at }) => at >= since);
      expect(window.total).toMatchObject({
        calls: kept.length,
        errors: kept.filter(({ failed }) => failed).length,
        hits: kept.reduce((sum, { hits }) => sum + hits, 0),
        misses: kept.reduce((sum, { misses }) => sum + misses, 0),
      });
      expect(window.total.latencies?.percentile(1) === undefined).toBe(kept.length === 0);
    }),
  );
});
