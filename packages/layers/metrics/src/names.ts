/**
 * Names of metrics and attributes. Those that begin with `db.` and `error.` are of the stable part of the OpenTelemetry
 * semantic conventions: https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ and
 * https://opentelemetry.io/docs/specs/semconv/db/database-spans/. Those for object stores are about the calls of one vendor
 * (https://opentelemetry.io/docs/specs/semconv/object-stores/s3/) and ask for the key, which never leaves the process here.
 */
export const metricNames = {
  /** Histogram, in seconds. */
  duration: "db.client.operation.duration",
  /** Counter. */
  calls: "stowage.calls",
  /** Counter, in bytes. */
  bytes: "stowage.bytes",
  /** Gauge. */
  stats: "stowage.stats",
} as const;

export const attributeNames = {
  /** The name of the operation: `put`. */
  operation: "db.operation.name",
  /** The backend: `file`. */
  system: "db.system.name",
  /** The name of the storage: `users`. */
  storage: "db.collection.name",
  /** The code of the error. */
  error: "error.type",
  /** What stands directly below the place: `cached`. */
  layer: "stowage.layer",
  /** `ok`, `missing`, `aborted` or `error`. */
  outcome: "stowage.outcome",
  /** `in` or `out`. */
  direction: "stowage.direction",
  /** A counter of a part: `hits`. */
  stat: "stowage.stat",
} as const;

/** Who measures, as OpenTelemetry asks: the scope of the meter and the tracer. */
export const scope = "@stowage/metrics";

/** Stands for what would not fit into a closed set, as in `error.type` of the conventions. */
export const other = "_OTHER";

/**
 * Bounds of the histogram of durations in seconds: those of the conventions, and finer ones below a millisecond, where most
 * calls of a cache or a local file are.
 */
export const durationBounds: readonly number[] = [
  0.000_001, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
];
