import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { Distrust } from "./distrust.ts";

const keysUpTo = (count: number): string[] => Array.from({ length: count }, (_, index) => `key${index}`);

test("what is being removed is distrusted until it was", () => {
  const distrust = new Distrust(100, new VirtualClock());
  const end = distrust.removing({ keys: ["a"] });
  const endPrefix = distrust.removing({ prefix: "b" });
  expect([distrust.has("a"), distrust.has("bb"), distrust.has("c"), distrust.due()]).toEqual([true, true, false, []]);
  end(true);
  endPrefix(false);
  expect([distrust.has("a"), distrust.has("bb"), distrust.due()]).toEqual([false, true, [{ prefix: "b" }]]);
});

test("a removal ends no distrust that began after it", () => {
  const distrust = new Distrust(100, new VirtualClock());
  const [first, second] = [distrust.removing({ keys: ["a"] }), distrust.removing({ keys: ["a"] })];
  first(true);
  expect(distrust.has("a")).toBe(true);
  second(true);
  expect(distrust.has("a")).toBe(false);
});

test("what may still arrive is cleared up by a removal that begins when it is there", async () => {
  const clock = new VirtualClock();
  const distrust = new Distrust(100, clock);
  distrust.fear("a");
  await clock.advance(99);
  distrust.removing({ keys: ["a"] })(true);
  expect([distrust.has("a"), distrust.due()]).toEqual([true, []]);
  await clock.advance(1);
  expect(distrust.due()).toEqual([{ keys: ["a"] }]);
  distrust.removing({ keys: ["a"] })(true);
  expect(distrust.isEmpty).toBe(true);
});

test("a store that stays down costs memory for ten thousand keys at the most: then all are distrusted", async () => {
  const clock = new VirtualClock();
  const distrust = new Distrust(100, clock);
  distrust.removing({ keys: keysUpTo(20_000) })(true); // however many at once, if it works
  expect(distrust.isEmpty).toBe(true);
  for (const key of keysUpTo(10_001)) distrust.removing({ keys: [key] })(false);
  expect(distrust.has("any other key")).toBe(true);
  await clock.advance(100);
  expect(distrust.due()).toEqual([{ prefix: "" }]);
  distrust.removing({ prefix: "" })(true);
  expect(distrust.isEmpty).toBe(true);
});
