import * as fc from "fast-check";
import { expect, test } from "vitest";
import { byteLength, checkKey, compareKeys, isKey, maxKeySize } from "./keys.ts";

const text = fc.string({ unit: "binary" });

test("keys compare as their UTF-8 bytes do", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test("a character beyond U+FFFF sorts after all others, which strings get wrong", () => {
  expect(["\uFF5E", "\u{1F642}"].sort()).toEqual(["\u{1F642}", "\uFF5E"]);
  expect(compareKeys("\u{1F642}", "\uFF5E")).toBeGreaterThan(0);
});

test("the length in bytes is that of the UTF-8 text", () => {
  fc.assert(
    fc.property(text, (value) => {
      expect(byteLength(value)).toBe(Buffer.byteLength(value));
    }),
  );
});

test("a key is non-empty well-formed text without NUL", () => {
  for (const key of ["a", " ", ".", "..", "a/b", "__proto__", "🙂", "\uFEFF", "\n", "%00"]) expect(isKey(key)).toBe(true);
  for (const key of ["", "a\0b", "\uD800", "a\uDC00b", undefined, null, 1, {}, ["a"]]) expect(isKey(key)).toBe(false);
});

test("a key has at most 1024 bytes, however few characters these are", () => {
  expect(isKey("a".repeat(maxKeySize))).toBe(true);
  expect(isKey("a".repeat(maxKeySize + 1))).toBe(false);
  expect(isKey("ä".repeat(512))).toBe(true);
  expect(isKey(`${"ä".repeat(512)}a`)).toBe(false);
  expect(isKey("€".repeat(341))).toBe(true);
  expect(isKey("€".repeat(342))).toBe(false);
  expect(isKey("🙂".repeat(256))).toBe(true);
  expect(isKey("🙂".repeat(257))).toBe(false);
});

test("the refusal of a key says what is wrong and keeps the key out of the message", () => {
  const cases: [key: unknown, problem: string][] = [
    ["", "A key must be a non-empty string."],
    ["secret\0", "A key must be free of NUL characters."],
    ["secret\uD800", "A key must be well-formed text, without lone surrogates."],
    ["secret".repeat(200), "A key must be at most 1024 bytes of UTF-8, got 1200."],
    [7, "A key must be a string, got number."],
    [null, "A key must be a string, got null."],
  ];
  for (const [key, message] of cases) {
    expect(() => checkKey(key as string, "get", "map")).toThrow(
      expect.objectContaining({ code: "invalid-key", operation: "get", storage: "map", key, message }),
    );
  }
});
