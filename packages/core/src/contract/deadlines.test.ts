import { expect, test } from "vitest";
import type { Clock } from "./clock.ts";
import { Deadline, Deadlines } from "./deadlines.ts";

/** A clock whose sleepers are woken by hand. */
class SteppedClock implements Clock {
  time = 1_000;
  sleepers: { due: number; wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  sleep(duration: number): Promise<void> {
    return new Promise((wake) => this.sleepers.push({ due: this.time + duration, wake }));
  }

  async advance(duration: number): Promise<void> {
    const end = this.time + duration;
    for (;;) {
      await new Promise(setImmediate);
      const next = this.sleepers.toSorted((a, b) => a.due - b.due)[0];
      if (next === undefined || next.due > end) break;
      this.sleepers.splice(this.sleepers.indexOf(next), 1);
      this.time = next.due;
      next.wake();
    }
    this.time = end;
  }
}

class Call extends Deadline {
  expired = 0;
  abortedFirst: boolean | undefined;

  override expire(): void {
    this.expired++;
    this.abortedFirst = this.signal?.aborted;
  }
}

test("a call expires once, not before its limit and at most two steps after it", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(1_000, clock);
  const call = new Call();
  deadlines.join(call);
  await clock.advance(999);
  expect(call.expired).toBe(0);
  await clock.advance(51);
  expect(call.expired).toBe(1);
  await clock.advance(10_000);
  expect(call.expired).toBe(1);
});

test("a call that joined late in a step still gets its whole limit", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(1_000, clock);
  deadlines.join(new Call());
  await clock.advance(24);
  const late = new Call();
  deadlines.join(late);
  await clock.advance(999);
  expect(late.expired).toBe(0);
});

test("a call that left does not expire, and its neighbours do", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(100, clock);
  const calls = Array.from({ length: 5 }, () => new Call());
  for (const call of calls) deadlines.join(call);
  for (const index of [0, 2, 4]) calls[index]?.leave();
  calls[2]?.leave();
  await clock.advance(200);
  expect(calls.map((call) => call.expired)).toEqual([0, 1, 0, 1, 0]);
});

test("the shared signal is aborted after the calls were told, and never for calls that left in time", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(100, clock);
  const hung = new Call();
  deadlines.join(hung);
  const { signal } = hung;
  await clock.advance(200);
  expect(hung.abortedFirst).toBe(false);
  expect(signal?.aborted).toBe(true);

  const quick = new Call();
  deadlines.join(quick);
  const spared = quick.signal;
  quick.leave();
  await clock.advance(1_000);
  expect(spared?.aborted).toBe(false);
});

test("no timer runs when no call waits", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(1_000, clock);
  const call = new Call();
  deadlines.join(call);
  call.leave();
  await clock.advance(100);
  expect(clock.sleepers).toEqual([]);
});

test("a clock that is set forward does not expire calls early", async () => {
  const clock = new SteppedClock();
  const deadlines = new Deadlines(1_000, clock);
  const call = new Call();
  deadlines.join(call);
  clock.time += 3_600_000;
  for (const sleeper of clock.sleepers) sleeper.due += 3_600_000;
  await clock.advance(500);
  expect(call.expired).toBe(0);
});
