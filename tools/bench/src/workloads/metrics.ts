import { metrics as openTelemetry } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { AnyLayer, Call, Next, Storage } from "@stowage/core";
import { AroundStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { metrics } from "@stowage/metrics";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Workload } from "../harness/workload.ts";

/** What `metrics()` costs: on and off, with an SDK that collects, with spans, and one between all parts. */
export const measuring: Workload = {
  name: "metrics",
  about: "Nanoseconds that metrics() adds to a call, over a memory storage that shares its values.",
  async run(bench) {
    const { rounds, budget } = bench.quick;
    const more = { rounds: rounds * 2 - 1, budget };
    const stores: Record<string, Storage<string>> = {
      "no layer": bottom(),
      off: on(metrics({ enabled: false })),
      "on, no SDK": on(metrics({ name: "no-sdk" })),
      "spans, no SDK": on(metrics({ name: "spans", spans: true })),
      "three of them": on(metrics(), metrics(), metrics()),
      "two reads of the clock": new TwoReads(bottom()),
    };
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000, exportTimeoutMillis: 900 });
    const provider = new MeterProvider({ readers: [reader] });
    openTelemetry.setGlobalMeterProvider(provider);
    stores["on, an SDK collects each second"] = on(metrics({ name: "sdk" }));
    openTelemetry.disable();
    const histogram = provider.getMeter("by hand").createHistogram("duration");
    stores["a histogram of the SDK at each call"] = new ByHand(bottom(), (duration) => histogram.record(duration, { operation: "get" }));
    try {
      for (const store of Object.values(stores)) await putAll(store, data);
      for (const [operation, calling] of Object.entries({ get: getting<string>, put: putting<string> })) {
        const contenders = Object.entries(stores).map(([name, store]) => calling(name, store, data));
        const result = await compare(contenders, more);
        const added = (name: string): number => result.extra(name, "no layer");
        bench.report.table(
          `ns per ${operation}()`,
          ["contender", "ns", "added"],
          Object.keys(stores).map((name) => [name, figure(result.nanoseconds(name)), name === "no layer" ? "0" : figure(added(name))]),
        );
        bench.report.atMost(`on, ${operation}`, added("on, no SDK"), 150, " ns");
        bench.report.atMost(`on, an SDK collects, ${operation}`, added("on, an SDK collects each second"), 150, " ns");
        bench.report.atMost(`each of three, ${operation}`, added("three of them") / 3, 150, " ns");
        bench.report.atMost(`off, ${operation}`, added("off"), 10, " ns");
      }
    } finally {
      for (const store of Object.values(stores)) await store.close();
      await provider.shutdown();
    }
  },
};

const keys = keysOf(1000);
const data = { keys, values: keys };

function bottom(): Storage<string> {
  return memoryStorage<string>({ values: "any", share: true });
}

function on(...layers: AnyLayer[]): Storage<string> {
  return layers.reduce((inner, layer) => layer(inner), bottom());
}

/** What the clock alone costs on this machine. */
class TwoReads extends AroundStorage<string> {
  readonly name = "clock";
  duration = 0;

  protected override around<T>(_call: Call, next: Next<T>): Promise<T> {
    const start = performance.now();
    const answer = next();
    this.duration += performance.now() - start;
    return answer;
  }
}

/** What a duration that goes to OpenTelemetry at each call costs. */
class ByHand extends AroundStorage<string> {
  readonly name = "by-hand";
  readonly #record: (duration: number) => void;

  constructor(inner: Storage<string>, record: (duration: number) => void) {
    super(inner);
    this.#record = record;
  }

  protected override around<T>(_call: Call, next: Next<T>): Promise<T> {
    const start = performance.now();
    return next().then((answer) => {
      this.#record(performance.now() - start);
      return answer;
    });
  }
}
