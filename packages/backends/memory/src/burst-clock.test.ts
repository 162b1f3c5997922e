import { expect, test } from "vitest";
import { BurstClock } from "./burst-clock.ts";

test("questions that come one by one are each answered by a reading of their own", () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 1000; question++) {
    machine.time += 5;
    expect(clock.now()).toBe(machine.time);
  }
});

test("in a burst a reading answers 64 questions", () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 6400; question++) clock.now();
  expect(machine.readings).toBeLessThan(6400 / 64 + 40);
});

test("a burst ends with the turn of the event loop, and its reading with it", async () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 100; question++) clock.now();
  machine.time += 60_000;
  machine.endTurn();
  await Promise.resolve();
  expect(clock.now()).toBe(machine.time);
  machine.time += 60_000;
  expect(clock.now()).toBe(machine.time);
});

function setUp() {
  const machine = { time: 1000, readings: 0, endTurn: (): void => {} };
  const clock = new BurstClock({
    now() {
      machine.readings++;
      return machine.time;
    },
    sleep: () =>
      new Promise((resolve) => {
        machine.endTurn = resolve;
      }),
  });
  return { clock, machine };
}
