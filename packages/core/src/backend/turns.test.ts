import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("a turn has time until a millisecond is spent, and the next one has time again", async () => {
  let now = 10;
  const turns = new Turns(setImmediate, () => now);
  expect(turns.hasTime).toBe(true);
  now += 0.9;
  expect(turns.hasTime).toBe(true);
  now += 0.2;
  expect(turns.hasTime).toBe(false);
  await turns.next();
  expect(turns.hasTime).toBe(true);
});

test("time that passes between turns counts for none of them", async () => {
  let now = 10;
  const turns = new Turns(setImmediate, () => now);
  expect(turns.hasTime).toBe(true);
  await turns.next();
  now += 500;
  expect(turns.hasTime).toBe(true);
});

test("all who wait for the next turn wait for the same one", async () => {
  const turns = new Turns(setImmediate);
  expect(turns.next()).toBe(turns.next());
  await turns.next();
});
