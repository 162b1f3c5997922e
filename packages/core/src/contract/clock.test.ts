import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { clockOf, systemClock } from "./clock.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a sleep ends when its time is over, and not before", async () => {
  let awake = false;
  const sleep = systemClock.sleep(1_000).then(() => (awake = true));
  await vi.advanceTimersByTimeAsync(999);
  expect(awake).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await sleep;
});

test("a sleep longer than a timer can be does not end at once", async () => {
  const month = 30 * 24 * 3_600_000;
  let awake = false;
  const sleep = systemClock.sleep(month).then(() => (awake = true));
  await vi.advanceTimersByTimeAsync(month - 1);
  expect(awake).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await sleep;
});

test("a sleep goes on when the time of day is set", async () => {
  let awake = false;
  const sleep = systemClock.sleep(1_000).then(() => (awake = true));
  vi.setSystemTime(Date.now() - 3_600_000);
  await vi.advanceTimersByTimeAsync(1_000);
  await sleep;
  expect(awake).toBe(true);
});

test("an abort ends a sleep at once with its reason, and leaves no timer", async () => {
  const abort = new AbortController();
  const sleep = systemClock.sleep(1_000, abort.signal);
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(sleep).rejects.toBe(reason);
  await expect(systemClock.sleep(1_000, abort.signal)).rejects.toBe(reason);
  expect(vi.getTimerCount()).toBe(0);
});

test("the clock of a storage is the one it shows, else that of the machine", () => {
  const clock = { ...systemClock };
  expect(clockOf({ clock })).toBe(clock);
  for (const storage of [{}, { clock: undefined }, { clock: 5 }, { clock: { now: 1 } }]) expect(clockOf(storage)).toBe(systemClock);
});
