import { cached } from "@stowage/cached";
import { findLayer, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { events, EventsStorage } from "./index.ts";

test("a cache below tells what it lets go of for want of room, and nothing else", async () => {
  const clock = new VirtualClock();
  const storage = stack(
    memoryStorage<string>({ values: "any", clock }),
    cached({ clock, maxEntries: 2, eviction: "lru", sizeOf: () => 7 }),
    events({ clock, subject: "users" }),
  );
  const told: unknown[] = [];
  findLayer(storage, EventsStorage)!.on("evict", (event) => told.push(event));
  await storage.put("expires", "value", { ttl: 10 });
  await clock.advance(20);
  await storage.get("expires");
  for (const key of ["a", "b", "c"]) await storage.put(key, "value");
  await storage.delete("b");
  await storage.clear();
  expect(told).toEqual([{ type: "evict", subject: "users", at: clock.now(), storage: "cached", key: "a", bytes: 7 }]);
});
