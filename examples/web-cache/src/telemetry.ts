import { metrics } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

export interface Telemetry {
  /** All metrics as text, as Prometheus reads it. */
  scrape(): Promise<string>;
  stop(): Promise<void>;
}

/** Collects what the metrics layers measure. They find it by themselves, as any part that speaks OpenTelemetry does. */
export function startTelemetry(): Telemetry {
  const exporter = new PrometheusExporter({ preventServerStart: true }); // its text is a route of ours
  const provider = new MeterProvider({ readers: [exporter] });
  const serializer = new PrometheusSerializer();
  metrics.setGlobalMeterProvider(provider);
  return {
    async scrape() {
      const { resourceMetrics, errors } = await exporter.collect();
      if (errors.length > 0) throw new AggregateError(errors, "Some metrics could not be collected.");
      return serializer.serialize(resourceMetrics);
    },
    async stop() {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
