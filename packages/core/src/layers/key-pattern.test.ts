import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keyMatcher } from "./key-pattern.ts";

const matching = (pattern: string, keys: readonly string[]): string[] => keys.filter(keyMatcher(pattern));

test("a pattern without a slash is about the last segment", () => {
  const keys = ["a.json", "users/ada.json", "users/ada.txt", ".json", "a.json/b", "a.jsonx"];
  expect(matching("*.json", keys)).toEqual(["a.json", "users/ada.json", ".json"]);
});

test("one star stays inside a segment, two do not", () => {
  const keys = ["images/a", "images/a/b", "images/", "image", "x/images/a"];
  expect(matching("images/*", keys)).toEqual(["images/a", "images/"]);
  expect(matching("images/**", keys)).toEqual(["images/a", "images/a/b", "images/"]);
  expect(matching("**", keys)).toEqual(keys);
});

test("two stars with a slash also stand for no segment at all", () => {
  const keys = ["a.png", "x/a.png", "x/y/a.png", "xa.png"];
  expect(matching("**/a.png", keys)).toEqual(["a.png", "x/a.png", "x/y/a.png"]);
  expect(matching("x/**/a.png", keys)).toEqual(["x/a.png", "x/y/a.png"]);
});

test("a question mark is one character, also a wide one, and no slash", () => {
  expect(matching("a/?", ["a/b", "a/🙂", "a/", "a/bc", "a//"])).toEqual(["a/b", "a/🙂"]);
});

test("all else is itself", () => {
  expect(matching("a.b+c(d)|$/^", ["a.b+c(d)|$/^", "aXb+c(d)|$/^"])).toEqual(["a.b+c(d)|$/^"]);
});

test("every pattern means what the regular expression for it means", () => {
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "**", "**/", "?"), minLength: 1, maxLength: 8 });
  const key = fc.string({ unit: fc.constantFrom("a", "b", "/"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(pattern, key, (wanted, tried) => {
      expect(keyMatcher(wanted)(tried)).toBe(expressionOf(wanted).test(tried));
    }),
    { numRuns: 5_000 },
  );
});

test("a pattern and a key made to be slow are answered at once", () => {
  const matches = keyMatcher("**/*.*.*.*.*.*.json");
  const start = performance.now();
  expect(matches(".".repeat(1_024))).toBe(false);
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("patterns of other tools are refused instead of meaning nothing", () => {
  for (const pattern of ["*.{png,jpg}", "[ab].txt", "a\\*", "", undefined]) {
    expect(() => keyMatcher(pattern as string)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
});

/** What a pattern means, as a regular expression: clear, and slow for bad patterns. */
function expressionOf(pattern: string): RegExp {
  const rooted = pattern.includes("/") ? pattern : `**/${pattern}`;
  const source = rooted.replaceAll(/(?<=^|\/)\*\*\/|\*{2,}|\*|\?/g, (wild) =>
    wild === "**/" ? "(?:[^]*/)?" : wild === "*" ? "[^/]*" : wild === "?" ? "[^/]" : "[^]*",
  );
  return new RegExp(`^${source}$`);
}
