import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLayer, describeModel, describeStorage } from "@stowage/testing/contract";
import { cached, localBus } from "./index.ts";

describeLayer("cached", {
  create: (inner, { clock }) => cached({ clock })(inner),
  documented: { calls: ["get", "getEntry", "getEntries", "head", "has", "read"] }, // answered by the cache, or loaded with all that is known
});

describeLayer("cached over values", {
  create: (inner, { clock }) => cached({ clock })(json()(inner)),
  values: [{ name: "Ada", tags: ["a"] }, [1, null, "two"], "text", 0, false, null],
  documented: { values: true, calls: ["get", "getEntry", "getEntries", "head", "has", "read"] },
});

describeLayer("cached with a store and a bus", {
  create: (inner, { clock }) => cached({ clock, store: memoryStorage({ clock }), maxEntries: 1, bus: localBus(), ttl: 60_000 })(inner),
  documented: { calls: ["get", "getEntry", "getEntries", "head", "has", "read"] },
});

describeStorage("cached around writes, with stale values and missing entries", {
  create: ({ clock }) =>
    stack(
      memoryStorage({ clock }),
      cached({ clock, write: "around", ttl: 1_000, staleWhileRevalidate: 0, missingTtl: 1_000, eviction: "lru" }),
    ),
});

describeStorage("cached with room for one entry", {
  create: ({ clock }) => stack(memoryStorage({ clock }), cached({ clock, maxEntries: 1, eviction: "w-tinylfu" })),
});

for (const eviction of ["s3-fifo", "w-tinylfu", "lru"] as const) {
  describeModel(`cached by ${eviction}, with room for three`, {
    create: ({ clock }) => stack(memoryStorage({ clock }), cached({ clock, eviction, maxEntries: 3, missingTtl: 50 })),
    runs: 50,
  });
}

describeModel("cached over calls that fail, and answers that are lost", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock }), cached({ clock, maxEntries: 4, missingTtl: 50 })),
  runs: 50,
});

describeModel("cached in two levels, both of which fail", {
  create: ({ clock, seed }) =>
    stack(
      memoryStorage({ clock }),
      faulty({ seed, clock }),
      cached({
        clock,
        maxEntries: 2,
        ttl: 1_000,
        loadTimeout: 100,
        store: stack(memoryStorage({ clock }), faulty({ seed: seed + 1, clock })),
      }),
    ),
  runs: 100,
});

describeModel("cached values in two levels", {
  create: ({ clock }) =>
    stack(
      memoryStorage<unknown>({ values: "any", clock }),
      cached({ clock, maxEntries: 1, store: memoryStorage<unknown>({ values: "any", clock }) }),
    ),
  values: [{ name: "Ada" }, [1, 2], "text", 0, null],
  runs: 50,
});
