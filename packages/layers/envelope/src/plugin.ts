import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { envelope } from "./envelope.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "envelope",
    description: "Gives expiry, metadata and a checksum to storages that lack them.",
    takes: "bytes",
    traits: ["envelops"],
    options: {
      legacy: option.either("Values without a header, from before this layer, are given as they are. Without it they are `corrupt`.", [
        option.choice("For ever.", ["raw"]),
        option.object("For a time.", { until: option.text("Until this date: `2027-06-30`.", { required: true }) }),
      ]),
    },
    make: (options, { clock }) => envelope({ ...options, clock }),
  }),
];
