import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ExpiryQueue } from "./expiry-queue.ts";

test("what is due comes earliest first, whatever was added, replaced and removed before", () => {
  const step = fc.record({ key: fc.nat({ max: 12 }).map(String), at: fc.option(fc.nat({ max: 100 })) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.nat({ max: 100 }), (steps, now) => {
      const queue = new ExpiryQueue();
      const model = new Map<string, number>();
      for (const { key, at } of steps) {
        if (model.delete(key)) queue.remove(key);
        if (at === null) continue;
        model.set(key, at);
        queue.add(key, at);
      }
      expect(queue.size).toBe(model.size);
      expect(queue.next).toBe(Math.min(...model.values(), Number.POSITIVE_INFINITY));
      const times: number[] = [];
      for (let key = queue.due(now); key !== undefined; key = queue.due(now)) {
        times.push(model.get(key)!);
        queue.remove(key);
      }
      expect(times).toEqual(
        Array.from(model.values(), Number)
          .filter((at) => at <= now)
          .sort((a, b) => a - b),
      );
    }),
  );
});

test("a cleared queue is empty and takes the same keys again", () => {
  const queue = new ExpiryQueue();
  queue.add("a", 1);
  queue.clear();
  expect(queue.due(1)).toBeUndefined();
  queue.add("a", 2);
  expect(queue.due(2)).toBe("a");
});
