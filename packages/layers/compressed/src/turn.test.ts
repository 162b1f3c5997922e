import { expect, test } from "vitest";
import { inTurn } from "./turn.ts";

/** Keeps the thread busy, as a codec does. */
function work(milliseconds: number): number {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
  return milliseconds;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("short work is done at once while the turn has time for it", async () => {
  await nextTurn();
  expect(inTurn(() => "done")).toBe("done");
  await nextTurn();
});

test("work beyond the time of a turn waits for the next, and timers get theirs", async () => {
  await nextTurn();
  const order: string[] = [];
  setImmediate(() => order.push("other work"));
  const first = inTurn(() => order.push(`first ${work(1.5)}`));
  const second = inTurn(() => order.push(`second ${work(1.5)}`));
  const third = inTurn(() => order.push("third"));
  expect(first).toBe(1);
  expect(second).toBeInstanceOf(Promise);
  await Promise.all([second, third]);
  expect(order).toEqual(["first 1.5", "other work", "second 1.5", "third"]);
});

test("work that waits keeps its order, and a failure is that of its own call", async () => {
  await nextTurn();
  const results: unknown[] = [];
  const calls = Array.from({ length: 20 }, async (_, index) => {
    try {
      results.push(
        await inTurn(() => {
          work(0.4);
          if (index === 7) throw new Error("seven");
          return index;
        }),
      );
    } catch (error) {
      results.push((error as Error).message);
    }
  });
  await Promise.all(calls);
  expect(results).toEqual(Array.from({ length: 20 }, (_, index) => (index === 7 ? "seven" : index)));
});

test("the time is that of one turn: in the next, work is done at once again", async () => {
  await nextTurn();
  expect(inTurn(() => work(2))).toBe(2);
  expect(inTurn(() => "late")).toBeInstanceOf(Promise);
  await nextTurn();
  await nextTurn();
  expect(inTurn(() => "at once")).toBe("at once");
  await nextTurn();
});
