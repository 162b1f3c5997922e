import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SortedKeys } from "./sorted-keys.ts";

/** Few and short, so that keys repeat; with letters on both sides of the surrogates, where UTF-8 and UTF-16 disagree. */
const key = fc.string({ unit: fc.constantFrom("a", "b", "/", "é", "\uffee", "😀"), minLength: 1, maxLength: 3 });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant("add" as const), key }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), key }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("walk" as const), key }) },
);

test("a walk gives the living keys in the order of their UTF-8 bytes, from anywhere, as a sorted set does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { keys, alive, add, remove } = setUp();
      for (const { type, key: subject } of steps) {
        if (type === "add") add(subject);
        else if (type === "remove") remove(subject);
        else expect(Array.from(keys.from((other) => byBytes(other, subject) < 0))).toEqual(sortedFrom(alive, subject));
      }
      expect(Array.from(keys.from(() => false))).toEqual(sortedFrom(alive, ""));
    }),
  );
});

test("thousands of keys that come one by one, and go again, split and empty the leaves without losing any", () => {
  const { keys, alive, add, remove } = setUp();
  const order = Array.from({ length: 5000 }, (_, index) => `key-${((index * 2654435761) % 5000).toString().padStart(4, "0")}`);
  for (const name of order.slice(0, 3000)) add(name);
  expect(Array.from(keys.from(() => false))).toEqual(sortedFrom(alive, ""));
  for (const name of order.slice(3000)) {
    add(name);
    keys.from(() => false).next();
  }
  expect(Array.from(keys.from(() => false))).toEqual(sortedFrom(alive, ""));
  for (const name of order.slice(0, 4500)) remove(name);
  expect(Array.from(keys.from(() => false))).toEqual(sortedFrom(alive, ""));
  for (const name of order.slice(4500)) remove(name);
  expect(Array.from(keys.from(() => false))).toEqual([]);
});

test("keys that come and go are forgotten, also where nobody asks for the order again", () => {
  const alive = new Set<string>();
  let questions = 0;
  const isThere = (name: string): boolean => {
    questions++;
    return alive.has(name);
  };
  const keys = new SortedKeys(() => alive, isThere);
  keys.from(() => false).next();
  for (let index = 0; index < 100_000; index++) {
    alive.add(`k${index}`);
    keys.add(`k${index}`, alive.size);
    alive.delete(`k${index}`);
    keys.remove(`k${index}`);
  }
  expect(Array.from(keys.from(() => false))).toEqual([]);
  expect(questions).toBeLessThan(2000);
});

test("to find its start, a walk looks at few keys", () => {
  const { keys, add } = setUp();
  for (let index = 0; index < 100_000; index++) add(`key-${index.toString().padStart(6, "0")}`);
  keys.from(() => false).next();
  let looks = 0;
  const walk = keys.from((other) => {
    looks++;
    return other < "key-050000";
  });
  expect(walk.next().value).toBe("key-050000");
  expect(looks).toBeLessThan(40);
});

function setUp() {
  const alive = new Set<string>();
  const keys = new SortedKeys(
    () => alive,
    (name) => alive.has(name),
  );
  return {
    keys,
    alive,
    add: (name: string): void => {
      if (alive.has(name)) return;
      alive.add(name);
      keys.add(name, alive.size);
    },
    remove: (name: string): void => {
      if (alive.delete(name)) keys.remove(name);
    },
  };
}

const sortedFrom = (alive: ReadonlySet<string>, start: string): string[] =>
  Array.from(alive)
    .filter((name) => byBytes(name, start) >= 0)
    .sort(byBytes);

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
