import type { AnyStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { describeLayer } from "@stowage/testing/contract";
import type { EventsOptions, EventsStorage } from "./index.ts";
import { events } from "./index.ts";

const listening = (inner: AnyStorage, options: EventsOptions): AnyStorage => {
  const storage = events(options)(inner) as unknown as EventsStorage<unknown>;
  for (const name of ["put", "get", "delete", "clear", "error", "evict", "alert"] as const) storage.on(name, () => {});
  return storage;
};

describeLayer("events while nobody listens", {
  create: (inner, { clock }) => events({ clock })(inner),
});

describeLayer("events with listeners", {
  create: (inner, { clock }) => listening(inner, { clock }) as never,
});

describeLayer("events with before and after", {
  create: (inner, { clock }) => events({ clock, before: async () => {}, after: () => {} })(inner),
});

describeLayer("events over values, with all that there is", {
  inner: ({ clock }) => memoryStorage<string>({ values: "any", clock }),
  create: (inner, { clock }) =>
    listening(inner, { clock, before: () => {}, after: () => {}, alerts: [{ metric: "errorRate", above: 0.5 }] }) as never,
  values: ["first", "second"],
});
