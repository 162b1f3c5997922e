import { expect, test } from "vitest";
import { BurstClock } from "./burst-clock.ts";

test("questions that come one by one are each answered by a reading of their own", () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 1000; question++) {
    machine.time += 5;
    expect(clock.now()).toBe(machine.time);
  }
});

test("in a burst a reading answers sixteen questions", () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 1600; question++) clock.now();
  expect(machine.readings).toBeLessThan(1600 / 16 + 40);
});

test("a burst ends with the turn of the event loop, and its reading with it", () => {
  const { clock, machine } = setUp();
  for (let question = 0; question < 100; question++) clock.now();
  machine.time += 60_000;
  machine.endTurn();
  expect(clock.now()).toBe(machine.time);
  machine.time += 60_000;
  expect(clock.now()).toBe(machine.time);
});

function setUp() {
  const machine = { time: 1000, readings: 0, endTurn: (): void => {} };
  const read = (): number => {
    machine.readings++;
    return machine.time;
  };
  const clock = new BurstClock(read, (work) => {
    machine.endTurn = work;
  });
  return { clock, machine };
}
