import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseEtag, tellEtag } from "./etags.ts";

test("an etag that is told says the one below and the expiry, whatever it looks like", () => {
  const etag = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.string().map((text) => `until:${text}`),
    fc.constantFrom("until:", "until:5:x", "until::"),
  );
  const expiresAt = fc.option(fc.oneof(fc.double({ min: 1e-3, max: 1e300, noNaN: true }), fc.integer({ min: 1 })), { nil: undefined });
  fc.assert(
    fc.property(etag, expiresAt, (below, end) => {
      expect(parseEtag(tellEtag(below, end))).toEqual({ etag: below, expiresAt: end });
    }),
  );
});

test("the etag of an entry without expiry is the one below, and what nobody told is one that nothing has", () => {
  expect(tellEtag("v1", undefined)).toBe("v1");
  for (const unknown of ["", "*", "until:", "until:5"]) expect(parseEtag(unknown)).toEqual({ etag: unknown, expiresAt: undefined });
});
