import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { metrics } from "./metrics.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "metrics",
    description: "Measures calls: counts, errors, bytes and times, by itself and through OpenTelemetry.",
    takes: "any",
    traits: ["measures"],
    options: {
      each: option.boolean(
        "One above the backend and one above every layer, so that each part has its own time; in short `metrics: each`.",
        {
          default: false,
        },
      ),
      ...definitions,
    },
    make: ({ each: _each, ...options }, { storage, clock }) => metrics({ name: storage, ...options, clock }),
  }),
];
