import { expect, test } from "vitest";
import { figure, Report } from "./report.ts";

test("a target is met or missed, whichever way it is bound", () => {
  const printed: string[] = [];
  const report = new Report((text) => printed.push(text));
  report.begin("memory", "Values.");
  report.atLeast("speed", 0.9, 0.8);
  report.atMost("bytes", 170, 160, " B");
  report.summary();
  expect(report.checks.map(({ met }) => met)).toEqual([true, false]);
  expect(printed.join("\n")).toMatch(/\| bytes +\| +170 B \| +at most 160 B \| \*\*missed\*\* \|/);
  expect(printed.at(-1)).toContain("1 met, 1 missed");
});

test("figures have the digits that matter", () => {
  expect([0.1234, 1.2, 12.34, 123.4, 12_345, 1_234_567].map(figure)).toEqual(["0.12", "1.20", "12.3", "123", "12.3k", "1.23M"]);
  expect(figure(Number.NaN)).toBe("–");
});
