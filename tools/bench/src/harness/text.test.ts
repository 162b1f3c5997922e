import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { drain, textOf, textStream } from "./text.ts";

test("text is the same in every run, of the size that was asked for, and shrinks as text does", () => {
  const text = textOf(100_000);
  expect(text.byteLength).toBe(100_000);
  expect(textOf(100_000)).toEqual(text);
  const ratio = text.byteLength / zstdCompressSync(text).byteLength;
  expect(ratio).toBeGreaterThan(2);
  expect(ratio).toBeLessThan(6);
});

test("a stream of text has the size that was asked for", async () => {
  expect(await drain(textStream(1_000_001, textOf(300_000)))).toBe(1_000_001);
});
