import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, formatSize, readDuration, readNumber, readSize } from "./units.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["90d", 7_776_000_000],
  ["0s", 0],
  ["1.5s", 1_500],
  ["1.1s", 1_100],
  ["1_000 ms", 1_000],
])("%s is a duration of %i milliseconds", (text, value) => {
  expect(readDuration(text)).toEqual({ value });
});

test.each([
  ["4096", 4_096],
  ["10_000", 10_000],
  ["64MB", 64_000_000],
  ["64 MB", 64_000_000],
  ["4KiB", 4_096],
  ["1kB", 1_000],
  ["1KB", 1_000],
  ["1.5GB", 1_500_000_000],
  ["1GiB", 1_073_741_824],
  ["2TB", 2e12],
  ["1TiB", 2 ** 40],
  ["7B", 7],
])("%s is a size of %i bytes", (text, value) => {
  expect(readSize(text)).toEqual({ value });
});

test.each([
  ["10_000", 10_000],
  ["1_000_000.5", 1_000_000.5],
  ["-5", -5],
])("%s is the number %d", (text, value) => {
  expect(readNumber(text)).toEqual({ value });
});

test.each([
  ["5min", "did you mean 5m?"],
  ["5 minutes", "did you mean 5m?"],
  ["2H", "did you mean 2h?"],
  ["30", "say the unit."],
  ["5y", "expected a duration such as"],
  ["1h30m", "expected a duration such as"],
  ["m", "expected a duration such as"],
  ["", "expected a duration such as"],
  ["5__0s", "expected a duration such as"],
  ["0x10s", "expected a duration such as"],
  ["5constructor", "expected a duration such as"],
])("%o is not a duration, and the sentence helps", (text, sentence) => {
  expect(readDuration(text)).toEqual({ wrong: expect.stringContaining(sentence) as string });
});

test.each([
  ["64mb", "did you mean 64MB?"],
  ["64 megabytes", "did you mean 64MB?"],
  ["4K", "did you mean 4KB?"],
  ["4Kib", "did you mean 4KiB?"],
  ["lots", "expected a size such as"],
])("%o is not a size, and the sentence helps", (text, sentence) => {
  expect(readSize(text)).toEqual({ wrong: expect.stringContaining(sentence) as string });
});

test("what is formatted reads back as the same value", () => {
  const whole = fc.nat({ max: 2 ** 50 });
  fc.assert(
    fc.property(whole, (value) => {
      expect(readDuration(formatDuration(value))).toEqual({ value });
      expect(readSize(formatSize(value))).toEqual({ value });
    }),
  );
});

test("a long whole number with a unit is exact", () => {
  expect(readSize("1055531162665984KiB")).toEqual({ value: 1_055_531_162_665_984 * 1024 });
  expect(readDuration(formatDuration(1_055_531_162_665_984))).toEqual({ value: 1_055_531_162_665_984 });
});

test("values are formatted in the largest unit that keeps them whole", () => {
  expect([10_000, 90_000, 300_000, 86_400_000, 1_500].map(formatDuration)).toEqual(["10s", "90s", "5m", "1d", "1500ms"]);
  expect([128, 4_096, 64_000_000, 268_435_456, 1_001].map(formatSize)).toEqual(["128", "4KiB", "64MB", "256MiB", "1001B"]);
});
