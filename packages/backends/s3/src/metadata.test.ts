import * as fc from "fast-check";
import { expect, test } from "vitest";
import { headersOf, metadataOf } from "./metadata.ts";

/** What a service may do to headers: cut and join spaces, and turn every `_` of a name into `-`. */
function throughService(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flatMap(([name, text]) => [name.toLowerCase().replaceAll("_", "-"), text.trim().replaceAll(/ +/g, " ")]);
}

const names = fc.oneof(
  fc.constantFrom("content-type", "content-encoding", "cache-control", "content-language", "stowage-write", "__proto__", "constructor"),
  fc.string({ unit: fc.constantFrom("a", "b", "1", "9", "-", "_", ".", "~", "!"), minLength: 1, maxLength: 12 }),
);

test("any metadata comes back through a service that changes headers", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 700 }).filter((value) => value.isWellFormed());
  const entries = fc.uniqueArray(fc.tuple(names, text), { selector: ([name]) => name, maxLength: 5 });
  fc.assert(
    fc.property(entries, (given) => {
      const headers = headersOf(Object.fromEntries(given));
      for (const value of Object.values(headers)) expect(value).toMatch(/^[!-~](?:[ -~]*[!-~])?$/);
      expect(new Map(Object.entries(metadataOf(throughService(headers)).metadata ?? {}))).toEqual(new Map(given));
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("plain metadata stands in plain headers, so that other programs can read it", () => {
  expect(headersOf({ "content-type": "text/plain", author: "Ada L." })).toEqual({
    "content-type": "text/plain",
    "x-amz-meta-author": "Ada L.",
  });
});

test("a type that the service gave by itself is no metadata, and one that was put is", () => {
  expect(metadataOf(["content-type", "binary/octet-stream"]).metadata).toBeUndefined();
  const put = headersOf({ "content-type": "binary/octet-stream" });
  expect(metadataOf(throughService(put)).metadata).toEqual({ "content-type": "binary/octet-stream" });
});

test("a long text is stored in headers that every service takes", () => {
  const text = `a ${"word ".repeat(200)}end`;
  const headers = headersOf({ long: text });
  expect(Math.max(...Object.values(headers).map((value) => value.length))).toBeLessThanOrEqual(250);
  expect(metadataOf(throughService(headers)).metadata).toEqual({ long: text });
});

test("headers of other programs that look like ours are taken as they are", () => {
  const found = metadataOf(["x-amz-meta-note", "utf-8''%E0%A4%A", "content-length", "5", "x-amz-meta-stowage-write", "id"]);
  expect(found).toEqual({ metadata: { note: "utf-8''%E0%A4%A" }, writeId: "id", sha256: undefined });
});
