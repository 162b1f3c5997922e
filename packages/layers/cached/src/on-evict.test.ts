import type { Storage } from "@stowage/core";
import { findLayer, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { CachedOptions, Evicted } from "./index.ts";
import { cached, CachedStorage } from "./index.ts";

interface Listened {
  readonly clock: VirtualClock;
  readonly storage: Storage<string>;
  readonly layer: CachedStorage<unknown>;
  readonly evicted: Evicted[];
  readonly stop: () => void;
}

function listened(options: CachedOptions): Listened {
  const clock = new VirtualClock();
  const storage = stack(memoryStorage<string>({ values: "any", clock }), cached({ clock, eviction: "lru", ...options }));
  const layer = findLayer(storage, CachedStorage)!;
  const evicted: Evicted[] = [];
  const stop = layer.onEvict((entry) => evicted.push(entry));
  return { clock, storage, layer, evicted, stop };
}

test("who listens hears of each entry that goes for want of room, until that is ended", async () => {
  const { storage, layer, evicted, stop } = listened({ maxEntries: 2, sizeOf: () => 5 });
  for (const key of ["a", "b", "c", "d"]) await storage.put(key, "value");
  expect(evicted).toEqual([
    { key: "a", size: 5 },
    { key: "b", size: 5 },
  ]);
  stop();
  stop();
  await storage.put("e", "value");
  expect(evicted).toHaveLength(2);
  expect(layer.stats().evictions).toBe(3);
});

test("expiry, delete, clear and invalidate are no eviction", async () => {
  const { clock, storage, layer, evicted } = listened({ maxEntries: 10 });
  await storage.put("expires", "value", { ttl: 10 });
  await clock.advance(20);
  expect(await storage.get("expires")).toBeUndefined();
  for (const key of ["a", "b", "c"]) await storage.put(key, "value");
  await storage.delete("a");
  await layer.invalidate("b");
  await storage.clear();
  await storage.close();
  expect(evicted).toEqual([]);
});

test.each<[string, () => void]>([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken"))], // which would end the process if nobody took it
])("a listener that %s disturbs neither the call nor the other listeners", async (_, broken) => {
  const { storage, layer, evicted } = listened({ maxEntries: 1 });
  layer.onEvict(broken);
  const heard: string[] = [];
  layer.onEvict(({ key }) => heard.push(key));
  for (const key of ["a", "b"]) await storage.put(key, "value");
  await storage.get("a");
  expect(evicted.map(({ key }) => key)).toEqual(["a", "b"]);
  expect(heard).toEqual(["a", "b"]);
});
