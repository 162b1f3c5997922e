import { VirtualClock } from "@stowage/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keyOfTombstone, tombstoneKeyOf, tombstoneValue } from "./tombstones.ts";
import { oldest, timeOf, VersionClock, versionName, versionOf } from "./versions.ts";

const writer = "0123456789abcdef";

test("a version is newer than all that were made or seen before, whatever the clock does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: -100_000, max: 100_000 }), fc.constant("other" as const)), { minLength: 1 }),
      (moves) => {
        const clock = new VirtualClock();
        const [mine, others] = [new VersionClock(clock), new VersionClock({ now: () => clock.now() + 50_000 })];
        let last = oldest;
        for (const move of moves) {
          if (move === "other") {
            const seen = others.next();
            mine.observe(seen);
            if (seen > last) last = seen;
          } else clock.jump(move);
          const version = mine.next();
          expect(version > last).toBe(true);
          last = version;
        }
      },
    ),
  );
});

test("a clock that stands still gives more versions than its counter has", () => {
  const versions = new VersionClock({ now: () => 1 }, writer);
  let last = oldest;
  for (let count = 0; count < 70_000; count++) {
    const version = versions.next();
    if (version <= last) throw new Error(`${version} is not newer than ${last}.`);
    last = version;
  }
  expect(timeOf(last)).toBe(2);
});

test("versions of two writers differ although they were made at the same moment", () => {
  expect(new VersionClock({ now: () => 1 }).next()).not.toBe(new VersionClock({ now: () => 1 }).next());
});

test("a clock that saw the last version there can be refuses to make an older one in silence", () => {
  const versions = new VersionClock({ now: () => 1 }, writer);
  versions.observe("efffffffffff-fffe-0123456789abcdef");
  expect(versionOf({ key: "a", metadata: { [versionName]: versions.next() } })).toBe("efffffffffff-ffff-0123456789abcdef");
  for (let time = 0; time < 3; time++) expect(() => versions.next()).toThrow(expect.objectContaining({ code: "corrupt" }) as Error);
});

test("what is no version counts as none", () => {
  const version = new VersionClock({ now: () => 1 }, writer).next();
  expect(versionOf({ key: "a", metadata: { [versionName]: version } })).toBe(version);
  for (const other of ["", "new", "ffffffffffff-ffff-0123456789abcdef", `${version}0`, version.toUpperCase()])
    expect(versionOf({ key: "a", metadata: { [versionName]: other } })).toBe(oldest);
  expect(versionOf({ key: "a" })).toBe(oldest);
  expect(versionOf({ key: "a", metadata: Object.create({ [versionName]: version }) as Record<string, string> })).toBe(oldest);
});

test("the tombstone of a key is at the SHA-256 of its UTF-8 bytes, and says which key it is about", async () => {
  const key = await tombstoneKeyOf("grüße");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("grüße")));
  expect(key).toBe(`stowage-deleted/${Buffer.from(hash).toString("hex")}`);
  expect(await keyOfTombstone(key, tombstoneValue("grüße"))).toBe("grüße");
  expect(await keyOfTombstone(key, tombstoneValue("other"))).toBeUndefined();
});
