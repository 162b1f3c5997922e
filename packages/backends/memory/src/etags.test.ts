import { expect, test } from "vitest";
import { Etags } from "./etags.ts";

test("no two versions share an etag, not of different storages either", () => {
  const seen = new Set<string>();
  for (const etags of [new Etags(), new Etags(), new Etags()]) {
    for (let count = 0; count < 10_000; count++) seen.add(etags.of(etags.nextVersion()));
  }
  expect(seen.size).toBe(30_000);
});

test("a version has the same etag whenever it is asked for", () => {
  const etags = new Etags();
  const first = etags.of(7);
  expect(etags.of(2 ** 40 + 7)).not.toBe(first);
  expect(etags.of(7)).toBe(first);
});
