import { expect, test } from "vitest";
import { partSizeOf } from "./part-sizes.ts";

const mebibyte = 2 ** 20;
const tebibyte = 2 ** 40;

/** Bytes that all parts can hold. */
function capacity(first: number, size?: number): number {
  let bytes = 0;
  for (let number = 1; number <= 10_000; number++) bytes += partSizeOf(number, first, size);
  return bytes;
}

test("10,000 parts hold every value whose size is known, in parts of one size", () => {
  for (const size of [1, 80_000 * mebibyte, 80_001 * mebibyte, tebibyte, 5 * tebibyte, 48 * tebibyte]) {
    expect(capacity(8 * mebibyte, size)).toBeGreaterThanOrEqual(size);
    expect(new Set([1, 2, 5_000, 10_000].map((number) => partSizeOf(number, 8 * mebibyte, size))).size).toBe(1);
  }
  expect(partSizeOf(1, 8 * mebibyte, 80_000 * mebibyte)).toBe(8 * mebibyte);
  expect(partSizeOf(1, 8 * mebibyte, 80_001 * mebibyte)).toBe(9 * mebibyte);
});

test("parts grow where the size is not known, so that the smallest first ones hold 5 TiB too", () => {
  expect([1, 900, 901, 1_801].map((number) => partSizeOf(number, 5 * mebibyte, undefined) / mebibyte)).toEqual([5, 5, 10, 20]);
  expect(capacity(5 * mebibyte)).toBeGreaterThanOrEqual(5 * tebibyte);
  expect(capacity(8 * mebibyte)).toBeGreaterThanOrEqual(5 * tebibyte);
  expect(partSizeOf(10_000, 5 * 1024 * mebibyte, undefined)).toBe(5 * 1024 * mebibyte);
});

test("what no upload can hold is too large", () => {
  expect(() => partSizeOf(10_001, 8 * mebibyte, undefined)).toThrow(expect.objectContaining({ code: "too-large" }) as Error);
  expect(() => partSizeOf(1, 8 * mebibyte, 50 * tebibyte)).toThrow(expect.objectContaining({ code: "too-large" }) as Error);
});
