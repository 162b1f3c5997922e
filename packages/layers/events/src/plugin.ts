import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import { events } from "./events.ts";
import type { EventsOptions } from "./options.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "events",
    description: "Tells of calls as they happen: events, a stream of changes, and alerts.",
    takes: "any",
    options: definitions,
    make: (options: EventsOptions, { clock, storage }) => events({ subject: storage, ...options, clock }),
  }),
];
