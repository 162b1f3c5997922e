import type { AnyLayer } from "@stowage/core";
import { anyLayer, checkOptions } from "@stowage/core";
import { MeasuringStorage } from "./measuring-storage.ts";
import type { Settings } from "./metrics-storage.ts";
import { MetricsStorage } from "./metrics-storage.ts";
import type { MetricsOptions } from "./options.ts";
import { definitions } from "./options.ts";

/**
 * Measures calls: how many there are of each operation and how they end, how long they take, how many bytes go in and out.
 * `metricsOf(storage)` reads it; OpenTelemetry gets it where the program has set that up.
 *
 * Place in the stack: on top, to see what the application sees; several, to see what each part takes.
 *
 * @throws StorageError `invalid-option`
 */
export function metrics(options: MetricsOptions = {}): AnyLayer {
  checkOptions(definitions, options, "metrics");
  const { enabled = true, name = "default", spans = false, clock } = options;
  const settings: Settings = { enabled, name, spans };
  return anyLayer((inner) => new (enabled ? MeasuringStorage : MetricsStorage)(inner, settings, clock));
}
