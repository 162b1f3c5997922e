import type { ByteStorage } from "@stowage/core";
import { stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { bytes, kept, over } from "./testing/replicas.ts";

const rubbish = bytes("what a broken disk gives");
let clock: VirtualClock;
let below: readonly ByteStorage[];
let replicas: readonly ByteStorage[];

beforeEach(() => {
  clock = new VirtualClock();
  below = [memoryStorage({ clock }), memoryStorage({ clock })];
  replicas = below.map((memory) => stack(memory, envelope({ clock })));
});

/** How many replicas have something that they cannot read. */
describe.each([1, 2])("what %d of two replicas cannot read any more", (count) => {
  test.each(["put", "write", "delete"] as const)("does not stand in the way of a %s", async (operation) => {
    const storage = over(replicas, clock);
    await storage.put("a", bytes("old"));
    for (const memory of below.slice(0, count)) await memory.put("a", rubbish);
    if (operation === "put") await storage.put("a", bytes("new"));
    else if (operation === "write") await storage.write("a", new Blob(["new"]));
    else await storage.delete("a");
    for (const replica of replicas) expect(await kept(replica, "a")).toBe(operation === "delete" ? undefined : "new");
  });

  test("does not stand in the way of the only writer", async () => {
    const storage = over(replicas, clock, { singleWriter: true });
    for (const memory of below.slice(0, count)) await memory.put("a", rubbish);
    await storage.put("a", bytes("new"));
    expect(await kept(storage, "a")).toBe("new");
    for (const memory of below.slice(0, count)) await memory.put("a", rubbish);
    await storage.delete("a");
    for (const replica of replicas) expect(await replica.has("a")).toBe(false);
  });

  test("does not stand in the way of a delete where it is the mark of an earlier one", async () => {
    const storage = over(replicas, clock);
    await storage.put("a", bytes("old"));
    await storage.delete("a");
    const { key = "" } = (await below[0]!.list()).entries[0] ?? {};
    for (const memory of below.slice(0, count)) await memory.put(key, rubbish);
    await storage.put("a", bytes("new"));
    await storage.delete("a");
    for (const replica of replicas) expect(await replica.has("a")).toBe(false);
    for (const replica of replicas) expect(await kept(replica, key)).toBe("a");
  });
});

test("a damaged value tells no version, so a write by a clock that is behind hears of the newest from another replica", async () => {
  const ahead = { now: () => clock.now() + 60_000, sleep: clock.sleep.bind(clock) };
  await over(replicas, clock, { clock: ahead }).put("a", bytes("of a fast clock"));
  await below[0]!.put("a", rubbish);
  const storage = over(replicas, clock, { write: { quorum: 2 } });
  await storage.put("a", bytes("new"));
  for (const replica of replicas) expect(await kept(replica, "a")).toBe("new");
});
