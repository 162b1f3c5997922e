import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { retry } from "./retry.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "retry",
    description: "Repeats calls that failed for a passing reason, and ends attempts that hang.",
    takes: "any",
    traits: ["retries"],
    options: {
      attempts: option.whole("How often a call is sent at the most, the first time included.", { min: 1, default: 4 }),
      attemptTimeout: option.duration("How long one attempt may take; for streams, how long without progress.", {
        min: 1,
        default: 10_000,
      }),
      totalTimeout: option.duration("How long a call may take with all its attempts; streams have no such limit.", {
        min: 1,
        default: 30_000,
      }),
      minDelay: option.duration("How long the wait before the second attempt takes at the most; it doubles from there.", { default: 100 }),
      maxDelay: option.duration("How long any wait takes at the most, unless the store asked for more.", { default: 5_000 }),
      budget: option.number("How many repeats there may be in ten seconds, as a share of the calls; ten are always allowed.", {
        max: 1,
        default: 0.1,
      }),
    },
    make: (options, { clock }) => retry({ ...options, clock }),
  }),
];
