import type { BatchObservableResult, Histogram as DurationHistogram, Meter, MeterProvider, Observable } from "@opentelemetry/api";
import { createNoopMeter } from "@opentelemetry/api";
import { DurationSample, mostSamples } from "./duration-sample.ts";
import { guarded } from "./guarded.ts";
import type { Histogram } from "./histogram.ts";
import { durationBounds, metricNames, other, scope } from "./names.ts";
import type { Place, PlaceName } from "./place.ts";
import { Series } from "./series.ts";

/** Series of more places than this are counted as one: who puts a tenant into a name shall not fill the memory. */
const mostSeries = 200;

/**
 * What the places of this process give to one meter provider. Nothing here runs while a storage is called: OpenTelemetry
 * asks when it collects. Places of the same name are one series, and keep what those had that are closed.
 */
export class Telemetry {
  static readonly #all = new WeakMap<MeterProvider, Telemetry>();
  readonly #duration: DurationHistogram;
  readonly #calls: Observable;
  readonly #bytes: Observable;
  readonly #stats: Observable;
  readonly #series = new Map<string, Series>();
  readonly #samples = new WeakMap<Histogram, DurationSample>();

  /** That of a provider; undefined for the one that stands in until there is any. */
  static of(provider: MeterProvider): Telemetry | undefined {
    const known = Telemetry.#all.get(provider);
    if (known !== undefined) return known;
    const meter = provider.getMeter(scope);
    if (meter === createNoopMeter()) return undefined;
    const telemetry = new Telemetry(meter);
    Telemetry.#all.set(provider, telemetry);
    return telemetry;
  }

  constructor(meter: Meter) {
    this.#duration = meter.createHistogram(metricNames.duration, {
      description: `How long calls took: a sample of at most ${mostSamples} per series and collection; ${metricNames.calls} counts them.`,
      unit: "s",
      advice: { explicitBucketBoundaries: [...durationBounds] },
    });
    this.#calls = meter.createObservableCounter(metricNames.calls, { description: "Calls that have ended.", unit: "{call}" });
    this.#bytes = meter.createObservableCounter(metricNames.bytes, {
      description: "Bytes of values that came in or went out.",
      unit: "By",
    });
    this.#stats = meter.createObservableGauge(metricNames.stats, {
      description: "Numbers that the parts of a storage tell of themselves.",
    });
    // For good: the counts of closed places are still to be collected, and a counter must not vanish.
    meter.addBatchObservableCallback(this.#observe, [this.#calls, this.#bytes, this.#stats]);
  }

  add(place: Place): void {
    this.#seriesOf(place.name).places.add(place);
  }

  /** The place is closed: what it had stays counted, and nothing else is kept of it. */
  remove(place: Place): void {
    const series = this.#seriesOf(place.name);
    if (series.close(place)) this.#recordDurations(place, series);
  }

  readonly #observe = (result: BatchObservableResult): void => {
    for (const series of this.#series.values()) {
      const { calls, bytes } = series.counts();
      for (const [metric, sums] of [
        [this.#calls, calls],
        [this.#bytes, bytes],
        [this.#stats, series.stats()],
      ] as const) {
        for (const { attributes, sum } of sums.all) guarded(() => result.observe(metric, sum, attributes));
      }
      for (const place of series.places) this.#recordDurations(place, series);
    }
  };

  #recordDurations(place: Place, series: Series): void {
    for (const { attributes, durations } of series.endingsOf(place)) {
      let sample = this.#samples.get(durations);
      if (sample === undefined) this.#samples.set(durations, (sample = new DurationSample(durations)));
      guarded(() => sample.take((duration) => this.#duration.record(duration / 1_000, attributes)));
    }
  }

  #seriesOf(name: PlaceName): Series {
    const wanted = JSON.stringify([name.storage, name.layer, name.system]);
    const known = this.#series.get(wanted);
    if (known !== undefined) return known;
    const isFull = this.#series.size >= mostSeries;
    const key = isFull ? other : wanted;
    const series = this.#series.get(key) ?? new Series(isFull ? { storage: other, layer: other, system: other } : name);
    this.#series.set(key, series);
    return series;
  }
}
