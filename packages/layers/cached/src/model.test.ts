import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { expect, test } from "vitest";
import { cached } from "./cached.ts";

describeModel("cached over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), cached({ clock })),
  runs: 100,
});

const size = { clients: 8, calls: 50 };
const late = { rate: 0.5, kinds: ["delays"] } as const;

describeLinearizable("cached over a storage that is late", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ ...late, seed, clock }), cached({ clock, missingTtl: 1_000 })),
  ...size,
  runs: 25, // 500 histories in full
});

describeLinearizable("cached in two levels that are late", {
  create: ({ clock, seed }) => {
    const store = stack(memoryStorage({ clock }), faulty({ ...late, seed: seed + 1, clock }));
    return stack(memoryStorage({ clock }), faulty({ ...late, seed, clock }), cached({ clock, maxEntries: 1, store }));
  },
  ...size,
  runs: 10, // 200 in full
});

test("a write that begins while the caller of another one is told of its end is the one that counts", async () => {
  for (let hops = 0; hops < 20; hops++) {
    const storage = stack(memoryStorage<string>({ values: "any" }), cached());
    const first = storage.put("key", "first");
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    await storage.batch([{ type: "put", key: "key", value: "second" }]);
    await first;
    expect(await storage.get("key"), `after ${hops} turns`).toBe("second");
  }
});
