import { expect, test } from "vitest";
import { nearestName } from "./nearest-name.ts";

const names = ["attempts", "attemptTimeout", "totalTimeout", "minDelay", "maxDelay", "budget", "max"];

test.each([
  ["atempts", "attempts"],
  ["attepmts", "attempts"],
  ["total-timeout", "totalTimeout"],
  ["total_timeout", "totalTimeout"],
  ["MAXDELAY", "maxDelay"],
  ["bugdet", "budget"],
  ["mx", "max"],
])("for %o the nearest name is %o", (name, expected) => {
  expect(nearestName(name, names)).toBe(expected);
});

test.each(["", "x", "compress", "somethingElseEntirely", "a".repeat(100_000)])("for %o no name is near", (name) => {
  expect(nearestName(name, names)).toBeUndefined();
});
