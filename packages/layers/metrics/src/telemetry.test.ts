import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BatchObservableCallback, Meter, MeterProvider as Provider } from "@opentelemetry/api";
import { metrics as openTelemetry } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import type { Histogram, MetricData } from "@opentelemetry/sdk-metrics";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { AnyStorage, Bytes, ByteStorage, Details } from "@stowage/core";
import { ForwardingStorage, json, stack, StorageError } from "@stowage/core";
import { cached } from "@stowage/cached";
import { memoryStorage } from "@stowage/memory";
import { MockStorage, VirtualClock } from "@stowage/testing";
import { afterEach, expect, test } from "vitest";
import { mostSamples } from "./duration-sample.ts";
import { metrics, metricsOf } from "./index.ts";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  openTelemetry.disable();
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const one: Bytes = new Uint8Array(1);

/** A real SDK, set up as a program does it; gives what it exports. */
function sdk(): () => Promise<Map<string, Map<string, number | Histogram>>> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e8 })] });
  openTelemetry.setGlobalMeterProvider(provider);
  cleanups.push(() => provider.shutdown());
  return async () => {
    exporter.reset();
    await provider.forceFlush();
    const exported = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics));
    return new Map(exported.map((metric) => [metric.descriptor.name, pointsOf(metric)]));
  };
}

const pointsOf = ({ dataPoints }: MetricData): Map<string, number | Histogram> =>
  new Map(dataPoints.map(({ attributes, value }) => [Object.values(attributes).join(" "), value as number | Histogram]));

test("counts are exact, by operation, outcome and error", async () => {
  const collect = sdk();
  const mock = new MockStorage();
  const storage = stack(mock, metrics({ name: "users" }));
  for (let call = 0; call < 1_000; call++) await storage.put(`secret-${call}`, one);
  for (let call = 0; call < 700; call++) await storage.get("secret-1");
  await storage.get("nothing");
  mock.on("get", "secret-2").fails(new StorageError("unavailable", "Down."), { times: 3 });
  for (let call = 0; call < 3; call++) await storage.get("secret-2").catch(() => {});
  const exported = await collect();
  expect(exported.get("stowage.calls")).toEqual(
    new Map([
      ["mock users mock put ok", 1_000],
      ["mock users mock get ok", 700],
      ["mock users mock get missing", 1],
      ["mock users mock get error unavailable", 3],
    ]),
  );
  expect(exported.get("stowage.bytes")).toEqual(
    new Map([
      ["mock users mock put in", 1_000],
      ["mock users mock get out", 700],
    ]),
  );
  expect(JSON.stringify([...exported].map(([name, points]) => [name, [...points]]))).not.toContain("secret");
});

test("durations are in seconds; of many a sample goes out, whose quantiles are theirs", async () => {
  const collect = sdk();
  const clock = new VirtualClock();
  const mock = new MockStorage({ clock });
  const storage = stack(mock, metrics({ clock }));
  for (let call = 0; call < 2_000; call++) {
    mock.on("get", "a").delays(call % 10 === 0 ? 700 : 7, { times: 1 });
    const got = storage.get("a");
    await clock.advance(700);
    await got;
  }
  const sampled = (await collect()).get("db.client.operation.duration")?.get("mock default mock get missing") as Histogram;
  expect(sampled.count).toBeLessThanOrEqual(mostSamples);
  expect(sampled.count).toBeGreaterThan(mostSamples - 2);
  const share = (seconds: number): number =>
    sampled.buckets.counts.slice(0, sampled.buckets.boundaries.indexOf(seconds) + 1).reduce((sum, count) => sum + count, 0) / sampled.count;
  expect(share(0.005)).toBe(0);
  expect(share(0.01)).toBeCloseTo(0.9, 1);
  expect(share(0.5)).toBeCloseTo(0.9, 1);
  expect(share(1)).toBe(1);
  expect(metricsOf(storage)[0]?.operations.get?.calls).toBe(2_000);
});

test("few durations all go out, once", async () => {
  const collect = sdk();
  const storage = stack(memoryStorage(), metrics());
  for (let call = 0; call < 5; call++) await storage.has("a");
  await collect();
  for (let call = 0; call < 3; call++) await storage.has("a");
  const durations = (await collect()).get("db.client.operation.duration")?.get("memory default memory has missing") as Histogram;
  expect(durations.count).toBe(8);
});

test("an SDK that starts after the stack was made is found", async () => {
  const storage = stack(memoryStorage(), metrics());
  await storage.has("a");
  const collect = sdk();
  for (let call = 0; call < 300; call++) await storage.has("a");
  expect((await collect()).get("stowage.calls")).toEqual(new Map([["memory default memory has missing", 301]]));
});

test("an SDK that starts late is found by the first call a second after the last look, of a quiet storage by its close", async () => {
  const clock = new VirtualClock();
  const slow = stack(memoryStorage({ clock }), metrics({ clock, name: "slow" }));
  const quiet = stack(memoryStorage({ clock }), metrics({ clock, name: "quiet" }));
  for (const storage of [slow, quiet]) for (let call = 0; call < 5; call++) await storage.has("a");
  const collect = sdk();
  await clock.advance(1_000);
  await slow.has("a");
  expect((await collect()).get("stowage.calls")).toEqual(new Map([["memory slow memory has missing", 6]]));
  await quiet.close();
  const exported = await collect();
  expect(exported.get("stowage.calls")?.get("memory quiet memory has missing")).toBe(5);
  expect(exported.get("db.client.operation.duration")?.get("memory quiet memory has missing")).toMatchObject({ count: 5 });
});

test("what the last storage did before it was closed goes out with the next collection, as when a program ends", async () => {
  const storage = stack(memoryStorage(), metrics());
  await storage.has("a");
  const collect = sdk();
  await storage.close();
  expect((await collect()).get("stowage.calls")).toEqual(new Map([["memory default memory has missing", 1]]));
  expect((await collect()).get("stowage.calls")).toEqual(new Map([["memory default memory has missing", 1]]));
});

test("several places are told apart by what is below, and the numbers of each part go out once", async () => {
  const collect = sdk();
  const storage = stack(memoryStorage(), metrics(), json<number>(), cached(), metrics());
  await storage.put("a", 1);
  for (let call = 0; call < 10; call++) await storage.get("a");
  await storage.get("b");
  const exported = await collect();
  expect([...exported.get("stowage.calls")!]).toEqual([
    ["memory default memory getEntry missing", 1],
    ["memory default memory put ok", 1],
    ["memory default cached get ok", 10],
    ["memory default cached get missing", 1],
    ["memory default cached put ok", 1],
  ]);
  const stats = exported.get("stowage.stats")!;
  expect([stats.get("memory default cached hits"), stats.get("memory default cached misses")]).toEqual([10, 1]);
  expect([...stats.keys()].filter((name) => name.includes("Ratio"))).toEqual([]);
});

test("storages of one name are counted together, and a closed one stays counted", async () => {
  const collect = sdk();
  const make = (): ByteStorage => stack(memoryStorage(), metrics({ name: "users" }));
  const storages = [make(), make()];
  for (const storage of storages) await storage.has("a");
  const counted = async (): Promise<unknown> => (await collect()).get("stowage.calls")?.get("memory users memory has missing");
  expect(await counted()).toBe(2);
  await storages[0]?.close();
  expect(await counted()).toBe(2);
  await storages[1]?.has("a");
  expect(await counted()).toBe(3);
  await storages[1]?.close();
  const third = make();
  await third.has("a");
  expect(await counted()).toBe(4);
});

test("names without end become one series", async () => {
  const collect = sdk();
  for (let tenant = 0; tenant < 500; tenant++) {
    const storage = stack(memoryStorage(), metrics({ name: `tenant-${tenant}` }));
    await storage.has("a");
    if (tenant % 2 === 0) await storage.close();
  }
  const calls = (await collect()).get("stowage.calls")!;
  expect(calls.size).toBe(201);
  expect(calls.get("_OTHER _OTHER _OTHER has missing")).toBe(300);
});

test("a part whose numbers cannot be had, or are none, hides no other", async () => {
  const collect = sdk();
  class Odd extends ForwardingStorage<Bytes> {
    readonly name = "odd";
    override details(): Details {
      return { options: {}, stats: { good: 1, bad: Number.NaN, worse: "x" as never } };
    }
  }
  class Failing extends ForwardingStorage<Bytes> {
    readonly name = "failing";
    override details(): Details {
      throw new Error("no numbers today");
    }
  }
  const storage = metrics()(new Failing(new Odd(memoryStorage())));
  await storage.has("a");
  expect([...(await collect()).get("stowage.stats")!.keys()].filter((name) => name.includes("odd"))).toEqual(["memory default odd good"]);
});

/** A provider that only counts callbacks. */
class Counting implements Provider {
  readonly callbacks = new Set<BatchObservableCallback>();
  getMeter(): Meter {
    const { callbacks } = this;
    return {
      createHistogram: () => ({ record() {} }),
      createObservableCounter: () => ({}),
      createObservableGauge: () => ({}),
      addBatchObservableCallback: (callback: BatchObservableCallback) => callbacks.add(callback),
    } as unknown as Meter;
  }
}

test("thousands of stacks that are closed leave nothing behind but what shows their counts", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const provider = new Counting();
  openTelemetry.setGlobalMeterProvider(provider);
  const gone: WeakRef<AnyStorage>[] = [];
  const shared = stack(memoryStorage(), metrics());
  for (let round = 0; round < 2_000; round++) {
    const storage = stack(memoryStorage(), metrics());
    await storage.has("a");
    if (round === 0) expect(provider.callbacks.size).toBe(1);
    await storage.close();
    await storage.close();
    if (round % 100 === 0) gone.push(new WeakRef(storage));
  }
  await shared.close();
  expect(provider.callbacks.size).toBe(1);
  const collected = (): boolean => {
    collectGarbage();
    return gone.every((reference) => reference.deref() === undefined);
  };
  await expect.poll(collected).toBe(true);
});

test("a provider that throws, wherever it does, touches no call", async () => {
  const fail = (): never => {
    throw new Error("broken exporter");
  };
  const working = new Counting();
  const parts: (keyof Meter)[] = ["createHistogram", "createObservableCounter", "createObservableGauge"];
  const providers: Provider[] = [
    { getMeter: fail },
    ...[...parts, "addBatchObservableCallback"].map((part) => ({
      getMeter: (): Meter => ({ ...working.getMeter(), [part]: fail }),
    })),
    { getMeter: (): Meter => ({ ...working.getMeter(), createHistogram: () => ({ record: fail }) }) },
  ];
  for (const provider of providers) {
    openTelemetry.setGlobalMeterProvider(provider);
    const storage = stack(memoryStorage(), metrics());
    await storage.put("a", one);
    for (let call = 0; call < 300; call++) expect(await storage.get("a")).toEqual(one);
    expect(metricsOf(storage)[0]?.calls).toBe(301);
    await storage.close();
    openTelemetry.disable();
  }
});

/** What Prometheus would scrape of a stack that has done a bit of everything. */
async function scrape(): Promise<string> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => promisify(server.close.bind(server))());
  const provider = new MeterProvider({ readers: [exporter] });
  openTelemetry.setGlobalMeterProvider(provider);
  cleanups.push(() => provider.shutdown());
  class Queue extends ForwardingStorage<Bytes> {
    readonly name = "behind";
    override details(): Details {
      return { options: {}, stats: { pending: 3, deadLetters: 0 } };
    }
  }
  const mock = new MockStorage();
  mock.on("get", "broken").fails(new StorageError("unavailable", "Down."));
  const storage = metrics({ name: "users" })(cached()(new Queue(mock)));
  await storage.put("a", one);
  await storage.get("a");
  mock.on("getEntry", "broken").fails(new StorageError("unavailable", "Down."));
  await storage.get("broken").catch(() => {});
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
  return await response.text();
}

test("Prometheus scrapes it over HTTP", async () => {
  const page = await scrape();
  expect(page).toContain("# TYPE stowage_calls_total counter");
  expect(page).toMatch(
    /stowage_calls_total\{[^}]*db_collection_name="users"[^}]*stowage_outcome="error"[^}]*error_type="unavailable"[^}]*\} 1\n/,
  );
  expect(page).toMatch(/db_client_operation_duration_bucket\{[^}]*le="0.001"/);
  expect(page).toMatch(/# HELP db_client_operation_duration .*a sample/);
  expect(page).toMatch(/stowage_stats\{[^}]*stowage_layer="cached"[^}]*stowage_stat="hits"[^}]*\} 1\n/);
});

const dashboards = join(import.meta.dirname, "../dashboards");

/** The names of metrics and labels, and the labels' values, that a query is about. */
function mentioned(query: string): { metrics: string[]; labels: string[]; values: [label: string, value: string][] } {
  const names = query.replaceAll("(_seconds)?", "").match(/\b(?:stowage|db_client)_[a-z_]+\b/g) ?? [];
  const matchers = [...query.matchAll(/(\w+)\s*(?:=~|!~|=|!=)\s*"([^"]*)"/g)].filter(([, label]) => label !== "__name__");
  const groups = [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(",").map((label) => label.trim()));
  const isLabel = (name: string): boolean => !/^stowage_(calls_total|bytes_total|stats)$|_bucket$/.test(name);
  return {
    metrics: names.filter((name) => !isLabel(name) || name.endsWith("_bucket")),
    labels: [...groups, ...matchers.map(([, label = ""]) => label), ...names.filter((name) => isLabel(name))],
    values: matchers.flatMap(([, label = "", values = ""]) => values.split("|").map((value): [string, string] => [label, value])),
  };
}

test.each(["grafana.json", "prometheus-alerts.yaml"])("%s asks for nothing that is not exported", async (file) => {
  const text = await readFile(join(dashboards, file), "utf8");
  const queries =
    file === "grafana.json"
      ? [...text.matchAll(/"(?:expr|definition)": ("(?:[^"\\]|\\.)*")/g)].map(([, query = ""]) => JSON.parse(query) as string)
      : [...text.matchAll(/expr: \|\n((?: {10}.*\n)+)/g)].map(([, query = ""]) => query);
  expect(queries.length).toBeGreaterThanOrEqual(5);
  const page = await scrape();
  const has = (metric: string): boolean => page.includes(`\n${metric}{`);
  for (const query of queries) {
    const { metrics: names, labels, values } = mentioned(query);
    expect(names.length, query).toBeGreaterThan(0);
    for (const name of names) expect(has(name), `${name} in ${query}`).toBe(true);
    for (const label of labels) expect(page, `${label} in ${query}`).toMatch(new RegExp(`[{,]${label}="`));
    for (const [label, value] of values) {
      if (value.startsWith("$") || /^(read|write)$/.test(value)) continue;
      expect(page, `${label} of ${value} in ${query}`).toContain(`${label}="${value}"`);
    }
    expect(query, "no query takes the count of a sample").not.toMatch(/duration(_seconds)?(\(_seconds\)\?)?_(count|sum)/);
  }
});

test("a query for what is not exported would be found", () => {
  expect(mentioned('rate(stowage_stats{stowage_stat="hits"}[5m])')).toEqual({
    metrics: ["stowage_stats"],
    labels: ["stowage_stat", "stowage_stat"],
    values: [["stowage_stat", "hits"]],
  });
  expect(mentioned("sum by (nobody) (stowage_bytes_total)").labels).toEqual(["nobody"]);
});
