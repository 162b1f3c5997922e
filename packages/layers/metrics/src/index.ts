export { metrics } from "./metrics.ts";
export { metricsOf } from "./metrics-of.ts";
export type { OperationMetrics, PlaceMetrics } from "./metrics-of.ts";
export { MetricsStorage } from "./metrics-storage.ts";
export type { MetricsOptions } from "./options.ts";
