import { memoryStorage } from "@stowage/memory";
import { VirtualClock, virtualEpoch } from "@stowage/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { envelope } from "./envelope.ts";
import { bytesOf, text } from "./testing/samples.ts";

const hour = 3_600_000;
const day = 24 * hour;
const century = 36_525 * day;

const setUp = () => {
  const clock = new VirtualClock();
  const memory = memoryStorage(); // by the time of the machine, which stands still compared to what happens here
  return { clock, memory, storage: envelope({ clock })(memory) };
};

for (const ttl of [1, 1.5, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, century]) {
  test(`an entry lives for ${ttl} ms, not less and not more`, async () => {
    const { clock, storage } = setUp();
    await storage.put("a", text("x"), { ttl });
    expect((await storage.head("a"))?.expiresAt).toBe(virtualEpoch + ttl);
    clock.jump(Math.ceil(ttl) - 1);
    expect(await storage.get("a")).toEqual(text("x"));
    clock.jump(1);
    expect(await storage.get("a")).toBeUndefined();
    expect(clock.pending).toBe(0); // no timer that a long life could overflow
  });
}

test("an expiry is kept to the last digit", async () => {
  const { storage } = setUp();
  for (const expiresAt of [Number.MAX_SAFE_INTEGER, 8.64e15, Number.MAX_VALUE, virtualEpoch + 0.1]) {
    await storage.put("a", text("x"), { expiresAt });
    expect((await storage.head("a"))?.expiresAt).toBe(expiresAt);
  }
});

/** T21: nothing is served at or after its expiry, nothing is missing before it, however the clock is set. */
test("whatever the clock does, an entry is there exactly while its expiry is ahead", { timeout: 300_000 }, async () => {
  const jump = fc.constantFrom(1, 999, 1_000, hour, -hour, day, -day, century, -2 * century, 2 ** 31);
  const ttl = fc.constantFrom(undefined, 1, 1_000, hour, 2 ** 31 - 1, 2 ** 31, century);
  const step = fc.oneof(
    fc.record({ jump }),
    fc.record({ put: fc.constantFrom("a", "b"), ttl, size: fc.constantFrom(0, 5, 70_000) }),
    fc.record({ create: fc.constantFrom("a", "b"), ttl }),
    fc.record({ sweep: fc.constant(true) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { clock, storage } = setUp();
      const model = new Map<string, { readonly expiresAt: number; readonly size: number }>();
      const lives = (key: string): boolean => (model.get(key)?.expiresAt ?? -1) > clock.now();
      for (const taken of steps) {
        if ("jump" in taken) clock.jump(Math.max(taken.jump, 5 - clock.now())); // not before 1970
        else if ("sweep" in taken) await (storage as unknown as { sweep(): Promise<unknown> }).sweep();
        else {
          const key = "put" in taken ? taken.put : taken.create;
          const size = "put" in taken ? taken.size : 3;
          const options = { ttl: taken.ttl, ...("create" in taken && { ifNoneMatch: "*" as const }) };
          const done = await storage.put(key, bytesOf(size), options).then(
            () => true,
            () => false,
          );
          expect(done).toBe("put" in taken || !lives(key));
          if (done) model.set(key, { expiresAt: taken.ttl === undefined ? Infinity : clock.now() + taken.ttl, size });
        }
        if ("sweep" in taken) for (const key of model.keys()) if (!lives(key)) model.delete(key); // for good, also when the clock goes back
        for (const key of ["a", "b"]) {
          const there = lives(key);
          expect((await storage.get(key))?.byteLength).toBe(there ? model.get(key)?.size : undefined);
          expect(await storage.has(key)).toBe(there);
        }
        expect((await storage.list({ info: true })).entries.map(({ key }) => key)).toEqual(["a", "b"].filter(lives));
      }
    }),
    { numRuns: process.env["STOWAGE_EFFORT"] === "full" ? 20_000 : 1_000 },
  );
});
