import { expect, test } from "vitest";
import { Etags } from "./etags.ts";

test("no etag is handed out twice, not by another storage either", () => {
  const seen = new Set<string>();
  for (const etags of [new Etags(), new Etags(), new Etags()]) {
    for (let count = 0; count < 10_000; count++) seen.add(etags.next());
  }
  expect(seen.size).toBe(30_000);
});
