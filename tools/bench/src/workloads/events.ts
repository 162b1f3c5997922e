import type { AnyLayer, Storage } from "@stowage/core";
import { findLayer } from "@stowage/core";
import { events, EventsStorage } from "@stowage/events";
import { memoryStorage } from "@stowage/memory";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Workload } from "../harness/workload.ts";

/** What `events()` costs while nobody listens, and while somebody does. */
export const telling: Workload = {
  name: "events",
  about: "Nanoseconds that events() adds to a call, over a memory storage that shares its values.",
  async run(bench) {
    const { rounds, budget } = bench.quick;
    const stores = {
      "no layer": bottom(),
      "events(), nobody listens": on(events()),
      "one listener to get and put": listening(on(events())),
      "one alert on latency": on(events({ alerts: [{ metric: "latency", above: 1_000 }] })),
      "before and after": on(events({ before: () => {}, after: () => {} })),
    };
    for (const store of Object.values(stores)) await putAll(store, data);
    for (const [operation, calling] of Object.entries({ get: getting<string>, put: putting<string> })) {
      const contenders = Object.entries(stores).map(([name, store]) => calling(name, store, data));
      const result = await compare(contenders, { rounds: rounds * 2 - 1, budget });
      bench.report.table(
        `ns per ${operation}()`,
        ["contender", "ns", "added"],
        Object.keys(stores).map((name) => [name, figure(result.nanoseconds(name)), figure(result.extra(name, "no layer"))]),
      );
      bench.report.atMost(`events() while nobody listens, ${operation}`, result.extra("events(), nobody listens", "no layer"), 20, " ns");
    }
    for (const store of Object.values(stores)) await store.close();
  },
};

const keys = keysOf(1000);
const data = { keys, values: keys };

function bottom(): Storage<string> {
  return memoryStorage<string>({ values: "any", share: true });
}

function on(layer: AnyLayer): Storage<string> {
  return layer(bottom());
}

function listening(storage: Storage<string>): Storage<string> {
  const layer = findLayer(storage, EventsStorage);
  for (const name of ["get", "put"] as const) layer?.on(name, () => {});
  return storage;
}
