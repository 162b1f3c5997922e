import { expect, test } from "vitest";
import { compare, Comparison, median, ownCopy } from "./compare.ts";

test("a ratio is taken inside each round, so that a slow round does not count", () => {
  const result = new Comparison(
    new Map([
      ["ours", [100, 900, 110]],
      ["limit", [50, 450, 55]],
    ]),
  );
  expect(result.ratio("ours", "limit")).toBe(0.5);
  expect(result.extra("ours", "limit")).toBe(55);
  expect(result.nanoseconds("ours")).toBe(110);
});

test("contenders go in turns, there and back, and are prepared before each round", async () => {
  const order: string[] = [];
  const contender = (name: string) => ({
    name,
    operations: 1,
    prepare: async () => void order.push(`prepare ${name}`),
    run: async () => void order.push(name),
  });
  await compare([contender("a"), contender("b")], { rounds: 2, budget: 0 });
  expect(order).toEqual(["prepare a", "a", "prepare b", "b", "prepare b", "b", "prepare a", "a"]);
});

test("a contender that fails fails the comparison", async () => {
  const broken = { name: "broken", operations: 1, run: () => Promise.reject(new Error("broken")) };
  await expect(compare([broken], { rounds: 1, budget: 0 })).rejects.toThrow("broken");
});

test("the median of an even number of values lies between the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([3, 1, 2])).toBe(2);
});

test("a copy of a function does the same and is another function", () => {
  const double = (value: number): number => value * 2;
  expect(ownCopy(double)(21)).toBe(42);
  expect(ownCopy(double)).not.toBe(double);
});
