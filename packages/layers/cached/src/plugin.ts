import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import { cached } from "./cached.ts";
import type { CachedOptions } from "./options.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "cached",
    description: "Keeps what was read in memory, coherent with every write that goes through it.",
    takes: "any",
    traits: ["caches"],
    options: definitions,
    make: (options, { clock }) => cached({ ...(options as CachedOptions), clock }),
  }),
];
