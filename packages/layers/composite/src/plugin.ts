import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { composite } from "./composite.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "composite",
    description: "Several storages as one: written to all or to a quorum, read from the first, the fastest or a quorum.",
    gives: "bytes",
    traits: ["replicates"],
    options: {
      replicas: option.record(
        "The storages by name, in the order in which they are asked. Each must keep metadata.",
        option.byteStorage("A backend with layers, or another storage of the file."),
        { required: true },
      ),
      ...definitions,
    },
    make: (options, { clock }) => composite({ ...options, clock }),
  }),
];
