import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import { behind } from "./behind.ts";
import type { BehindOptions } from "./options.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "behind",
    description: "Acknowledges writes once they are in a journal, and brings them to the storage below later.",
    takes: "bytes",
    traits: ["queues"],
    options: definitions,
    make: (options, { clock }) => behind({ ...(options as BehindOptions), clock }),
  }),
];
