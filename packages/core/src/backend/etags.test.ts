import { expect, test } from "vitest";
import { Etags } from "./etags.ts";

test("no two writes share an etag, not even of two processes that began at once", () => {
  const etags = Array.from({ length: 100 }, () => new Etags()).flatMap((one) => [one.next(), one.next(), one.next()]);
  expect(new Set(etags).size).toBe(300);
});

test("an etag is short and of letters that stand anywhere", () => {
  expect(new Etags().next()).toMatch(/^[A-Za-z0-9_~]{12}-0$/);
});
