import { expect, test } from "vitest";
import { legacyUntil } from "./legacy.ts";

test.each([
  [undefined, Number.NEGATIVE_INFINITY],
  ["raw", Number.POSITIVE_INFINITY],
  [{ until: 1_000 }, 1_000],
  [{ until: new Date(2_000) }, 2_000],
  [{ until: "2027-06-30" }, Date.UTC(2027, 5, 30)],
] as const)("%o gives values from before the layer until %d", (legacy, moment) => {
  expect(legacyUntil(legacy, "demo")).toBe(moment);
});

test.each([null, true, "cooked", 7, {}, { until: "soon" }, { until: undefined }])("%o is refused in the name of the layer", (legacy) => {
  expect(() => legacyUntil(legacy as "raw", "demo")).toThrow('In the options of demo, legacy must be "raw" or { until: a date }.');
});
