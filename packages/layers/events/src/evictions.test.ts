import { cached } from "@stowage/cached";
import { borrowed, findLayer, ForwardingStorage, stack } from "@stowage/core";
import type { AnyStorage, ByteStorage } from "@stowage/core";
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

/** Stands on the same storage by two paths, as two replicas may that share a cache. */
class TwoPaths extends ForwardingStorage<Uint8Array<ArrayBuffer>> {
  readonly name = "two paths";
  override readonly inner: readonly AnyStorage[];

  constructor(below: ByteStorage) {
    super(below);
    this.inner = [stack(below, borrowed()), stack(below, borrowed())];
  }
}

test("a cache that two paths lead to tells of each entry once", async () => {
  const shared = stack(memoryStorage(), cached({ maxEntries: 1 }));
  const storage = stack(new TwoPaths(shared), events());
  const keys: string[] = [];
  findLayer(storage, EventsStorage)!.on("evict", ({ key }) => keys.push(key));
  await storage.put("a", new Uint8Array(1));
  await storage.put("b", new Uint8Array(1));
  expect(keys).toEqual(["a"]);
});
