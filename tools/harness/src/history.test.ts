import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { History } from "./history.ts";
import { makeValue, readValue } from "./value.ts";

test("a value tells its write, and every damage to it is found", () => {
  const value = makeValue(7, 1_000);
  expect(readValue(value)).toBe(7);
  for (const length of [0, 40, 48, 500, value.length - 1]) expect(() => readValue(value.slice(0, length))).toThrow("torn");
  const mixed = value.slice();
  mixed.set(makeValue(8, 1_000).subarray(600), 600);
  expect(() => readValue(mixed)).toThrow("mixed");
  const renumbered = value.slice();
  renumbered.set(makeValue(8, 1_000).subarray(0, 8));
  expect(() => readValue(renumbered)).toThrow("mixed");
});

test("what was acknowledged and is gone is lost, what was under way may be there or not", async () => {
  const storage = memoryStorage();
  const history = new History();
  history.add(["start 1 a put", "ack 1 a", "start 2 a put", "start 3 b put"]);
  expect((await history.check(storage)).lost).toHaveLength(1);

  const kept = new History();
  kept.add(["start 1 a put", "ack 1 a", "start 2 a put", "start 3 b put"]);
  await storage.put("a", makeValue(1, 10));
  expect(await kept.check(storage)).toEqual({ lost: [], torn: [] });

  const newer = new History();
  newer.add(["start 1 a put", "ack 1 a", "start 2 a put"]);
  await storage.put("a", makeValue(2, 10));
  expect(await newer.check(storage)).toEqual({ lost: [], torn: [] });

  const older = new History();
  older.add(["start 2 a put", "ack 2 a", "start 3 a put", "ack 3 a"]);
  expect((await older.check(storage)).lost).toHaveLength(1);
});

test("a torn value is reported as torn", async () => {
  const storage = memoryStorage();
  const history = new History();
  history.add(["start 1 a put", "ack 1 a"]);
  await storage.put("a", makeValue(1, 100).slice(0, 90));
  expect((await history.check(storage)).torn).toHaveLength(1);
});

test("an acknowledged delete that left the value is a loss", async () => {
  const storage = memoryStorage();
  await storage.put("a", makeValue(1, 10));
  const history = new History();
  history.add(["start 1 a put", "ack 1 a", "start 2 a delete", "ack 2 a"]);
  expect((await history.check(storage)).lost).toHaveLength(1);
});
