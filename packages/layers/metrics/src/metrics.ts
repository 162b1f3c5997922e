import type { AnyLayer } from "@stowage/core";
import { anyLayer, checkOptions } from "@stowage/core";
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
  return anyLayer((inner) => (enabled ? new MetricsStorage(inner, { name, spans }, clock) : inner));
}
