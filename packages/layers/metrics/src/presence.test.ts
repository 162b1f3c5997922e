import { expect, test } from "vitest";
import { Presence } from "./presence.ts";

/** Two places, the upper one on the lower one. */
function two(): { upper: Presence; lower: Presence } {
  const upper = new Presence();
  const lower = new Presence();
  upper.standOn(lower, 0);
  return { upper, lower };
}

test("a place alone is waited for as long as calls take", () => {
  const place = new Presence();
  place.enter(0);
  place.enter(10);
  place.leave(30);
  place.leave(40);
  expect(place.waitedUntil(100)).toBe(60);
  expect(place.isApproximate).toBe(false);
});

test("calls that are under way count up to now", () => {
  const place = new Presence();
  place.enter(5);
  expect(place.waitedUntil(8)).toBe(3);
});

test("calls one in the other take the time that they take", () => {
  const { upper, lower } = two();
  for (const start of [0, 100]) {
    upper.enter(start);
    lower.enter(start + 10);
    lower.leave(start + 40);
    upper.leave(start + 50);
  }
  expect([upper.waitedUntil(200), lower.waitedUntil(200)]).toEqual([100, 60]);
  expect(lower.isApproximate).toBe(false);
});

test("a call that its caller did not wait for goes on in the background", () => {
  const { upper, lower } = two();
  upper.enter(0);
  lower.enter(1);
  upper.leave(2);
  lower.leave(90);
  expect(lower.waitedUntil(100)).toBe(1);
  expect(lower.isApproximate).toBe(true);
});

test("a call that begins by itself is in the background from the start", () => {
  const { upper, lower } = two();
  lower.enter(0);
  lower.leave(50);
  expect(lower.waitedUntil(100)).toBe(0);
  expect(lower.isApproximate).toBe(true);
  expect(upper.isApproximate).toBe(false);
});

test("a call in the background that another caller comes to wait for is waited for from then on", () => {
  const { upper, lower } = two();
  lower.enter(0);
  upper.enter(20);
  upper.leave(50);
  lower.leave(90);
  expect(lower.waitedUntil(100)).toBe(30);
});

test("many calls below for one above are waited for once", () => {
  const { upper, lower } = two();
  upper.enter(0);
  for (let call = 0; call < 10; call++) lower.enter(1);
  for (let call = 0; call < 10; call++) lower.leave(5 + call);
  upper.leave(20);
  expect(lower.waitedUntil(100)).toBe(13);
  expect(lower.isApproximate).toBe(true);
});

test("many calls above for one below wait for it, and the rest of their time is spent between", () => {
  const { upper, lower } = two();
  for (let call = 0; call < 10; call++) upper.enter(0);
  lower.enter(0);
  lower.leave(10);
  for (let call = 0; call < 10; call++) upper.leave(10);
  expect([upper.waitedUntil(100), lower.waitedUntil(100)]).toEqual([100, 10]);
  expect(lower.isApproximate).toBe(false);
});

test("what is in the background in the middle is so at the bottom", () => {
  const { upper, lower } = two();
  const lowest = new Presence();
  lower.standOn(lowest, 0);
  upper.enter(0);
  lower.enter(0);
  lowest.enter(0);
  upper.leave(5);
  lowest.leave(90);
  lower.leave(90);
  expect([upper, lower, lowest].map((place) => place.waitedUntil(100))).toEqual([5, 5, 5]);
});

test("a place below two is waited for by both, and says that it cannot tell them apart", () => {
  const { upper, lower } = two();
  const other = new Presence();
  other.standOn(lower, 0);
  upper.enter(0);
  other.enter(0);
  lower.enter(0);
  lower.enter(0);
  for (const place of [lower, lower, upper, other]) place.leave(10);
  expect(lower.waitedUntil(100)).toBe(20);
  expect(lower.isApproximate).toBe(true);
});

test("a place that is closed leaves nothing behind: the one below counts for itself again", () => {
  const { upper, lower } = two();
  upper.enter(0);
  lower.enter(0);
  upper.stepOff(10);
  upper.stepOff(10);
  upper.leave(20);
  lower.leave(30);
  lower.enter(40);
  lower.leave(50);
  expect(lower.waitedUntil(100)).toBe(40);
});

test("standing on the same place twice counts once", () => {
  const { upper, lower } = two();
  upper.standOn(lower, 0);
  upper.enter(0);
  lower.enter(0);
  lower.enter(0);
  lower.leave(10);
  lower.leave(10);
  upper.leave(10);
  expect(lower.waitedUntil(10)).toBe(10);
});
