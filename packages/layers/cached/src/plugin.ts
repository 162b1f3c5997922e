import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { cached } from "./cached.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "cached",
    description: "Keeps what was read in memory, coherent with every write that goes through it.",
    takes: "any",
    traits: ["caches"],
    options: {
      eviction: option.choice("Who goes when the cache is full.", ["s3-fifo", "w-tinylfu", "lru"], { default: "s3-fifo" }),
      maxEntries: option.whole("Entries at the most.", { min: 1, default: 10_000 }),
      maxSize: option.size("Bytes of all values at the most; without it only entries are counted.", { min: 1 }),
      ttl: option.duration("How long an entry is served without asking below; without it as long as it lives.", { min: 1 }),
      staleWhileRevalidate: option.duration("How long after ttl the old value is served while a new one is loaded.", { default: 0 }),
      staleIfError: option.duration("How long after ttl the old value is served when loading fails for a passing reason.", { default: 0 }),
      missingTtl: option.duration("How long a missing entry is remembered as missing.", { default: 0 }),
      loadTimeout: option.duration("After how long a load is given up for all who wait for it.", { min: 1, default: 30_000 }),
      write: option.choice("Whether a value that was put is cached, or loaded by the next read.", ["through", "around"], {
        default: "through",
      }),
      values: option.choice("Whether everybody gets a copy, the same frozen value, or the same value.", ["cloned", "frozen", "shared"], {
        default: "cloned",
      }),
    },
    make: (options, { clock }) => cached({ ...options, clock }),
  }),
];
