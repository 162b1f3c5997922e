import { findLayer, stack, text } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { VirtualClock } from "@stowage/testing";
import type { Bus, Invalidation } from "../bus.ts";
import { cached, CachedStorage } from "../cached.ts";
import type { Answer, Order } from "./messages.ts";

/** A process with a cache of its own over a folder, on a bus that its parent relays. It does what it is told, one line of messages for both. */
const [directory, ttl] = process.argv.slice(2) as [string, string];

const listeners = new Set<(message: Invalidation) => void>();
const bus: Bus = {
  publish: (message) => say({ kind: "bus", message }),
  subscribe: (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};

const clock = new VirtualClock();
const storage = stack(fileStorage({ directory, durability: "process" }), text(), cached({ bus, clock, ttl: Number(ttl) }));
const cache = findLayer(storage, CachedStorage) as CachedStorage<string>;

process.on("message", (order: Order) => {
  if (order.kind === "bus") for (const listener of listeners) listener(order.message);
  else
    void obey(order).then(
      (value) => say({ kind: "answer", number: order.number, value }),
      (error: unknown) => say({ kind: "answer", number: order.number, error: String(error) }),
    );
});
process.on("disconnect", () => process.exit());

async function obey(order: Exclude<Order, { kind: "bus" }>): Promise<unknown> {
  switch (order.kind) {
    case "get":
      return await storage.get(order.key);
    case "put":
      return void (await storage.put(order.key, order.value));
    case "delete":
      return await storage.delete(order.key);
    case "clear":
      return await storage.clear({ prefix: order.key });
    case "advance":
      return await clock.advance(order.duration);
    case "hits":
      return cache.stats().hits;
  }
}

function say(answer: Answer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(answer, undefined, undefined, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
