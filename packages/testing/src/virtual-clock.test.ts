import { describe, expect, test } from "vitest";
import { VirtualClock, virtualEpoch } from "./virtual-clock.ts";

describe("VirtualClock", () => {
  test("stands still until it is moved", async () => {
    const clock = new VirtualClock();
    expect(clock.now()).toBe(virtualEpoch);
    await clock.advance(1500);
    expect(clock.now()).toBe(virtualEpoch + 1500);
    expect(new VirtualClock(42).now()).toBe(42);
  });

  test("wakes sleepers in order of time, each at its own time", async () => {
    const clock = new VirtualClock(0);
    const woken: [string, number][] = [];
    for (const [name, duration] of [
      ["late", 30],
      ["early", 10],
      ["also early", 10],
      ["beyond", 31],
    ] as const) {
      void clock.sleep(duration).then(() => woken.push([name, clock.now()]));
    }
    await clock.advance(30);
    expect(woken).toEqual([
      ["early", 10],
      ["also early", 10],
      ["late", 30],
    ]);
    expect(clock.pending).toBe(1);
  });

  test("wakes chained sleeps that fall into the same move", async () => {
    const clock = new VirtualClock(0);
    const ticks: number[] = [];
    void (async () => {
      for (let round = 0; round < 5; round++) {
        await clock.sleep(10);
        for (let hop = 0; hop < 50; hop++) await Promise.resolve();
        ticks.push(clock.now());
      }
    })();
    await clock.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
    await clock.advance(15);
    expect(ticks).toEqual([10, 20, 30, 40, 50]);
    expect(clock.pending).toBe(0);
  });

  test("wakes who falls asleep just before the move", async () => {
    const clock = new VirtualClock();
    let awake = false;
    void Promise.resolve()
      .then(() => clock.sleep(5))
      .then(() => (awake = true));
    await clock.advance(5);
    expect(awake).toBe(true);
  });

  test("does not sleep for a duration of zero or less", async () => {
    const clock = new VirtualClock();
    await clock.sleep(0);
    await clock.sleep(-5);
    expect(clock.pending).toBe(0);
  });

  test("goes from sleeper to sleeper with next", async () => {
    const clock = new VirtualClock(0);
    void clock.sleep(7);
    void clock.sleep(3);
    expect(await clock.next()).toBe(true);
    expect(clock.now()).toBe(3);
    expect(await clock.next()).toBe(true);
    expect(clock.now()).toBe(7);
    expect(await clock.next()).toBe(false);
  });

  test("runs until nobody sleeps, but not for ever", async () => {
    const clock = new VirtualClock(0);
    void clock.sleep(100).then(() => clock.sleep(1000));
    await clock.runUntilIdle();
    expect(clock.now()).toBe(1100);
    const stop = new AbortController();
    const loop = (async () => {
      for (;;) await clock.sleep(1, stop.signal);
    })();
    await expect(clock.runUntilIdle(10)).rejects.toThrow("after 10 sleeps");
    stop.abort(new Error("enough"));
    await expect(loop).rejects.toThrow("enough");
  });

  test("ends a sleep with the signal's reason and keeps nothing of it", async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const counted = countListeners(stop.signal);
    const reason = new Error("no longer needed");
    const asleep = clock.sleep(Infinity, stop.signal);
    expect([clock.pending, counted.active]).toEqual([1, 1]);
    expect(await clock.next()).toBe(false);
    stop.abort(reason);
    await expect(asleep).rejects.toBe(reason);
    expect([clock.pending, counted.active]).toEqual([0, 0]);
    await expect(clock.sleep(5, stop.signal)).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test("leaves no listener behind after waking", async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const counted = countListeners(stop.signal);
    const asleep = clock.sleep(5, stop.signal);
    await clock.advance(5);
    await asleep;
    expect(counted.active).toBe(0);
  });

  test("jumps the time of day without waking anyone", async () => {
    const clock = new VirtualClock(1000);
    let awake = false;
    void clock.sleep(50).then(() => (awake = true));
    clock.jump(-500);
    expect(clock.now()).toBe(500);
    clock.jump(10_000);
    await clock.advance(49);
    expect(awake).toBe(false);
    await clock.advance(1);
    expect(awake).toBe(true);
    expect(clock.now()).toBe(10_550);
  });

  test("refuses durations that mean nothing", async () => {
    const clock = new VirtualClock();
    await expect(clock.sleep(NaN)).rejects.toThrow(RangeError);
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advance(NaN)).rejects.toThrow(RangeError);
    await expect(clock.advance(Infinity)).rejects.toThrow(RangeError);
  });
});

/** Counts the listeners that are added to a signal and not yet removed or fired. */
function countListeners(signal: AbortSignal): { readonly active: number } {
  const active = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: () => void) => {
    active.add(listener);
    add(type, listener, { once: true });
  };
  signal.removeEventListener = (type: string, listener: () => void) => {
    active.delete(listener);
    remove(type, listener);
  };
  return {
    get active() {
      return active.size;
    },
  };
}
