/** What a call counts as: every way to read a value is a `get`, a `write` is a `put`, `has` is a `head`. */
export type AlertOperation = (typeof alertOperations)[number];
export const alertOperations = ["get", "put", "delete", "batch", "clear", "list", "head", "flush"] as const;

export type AlertMetric = (typeof alertMetrics)[number];
export const alertMetrics = ["operationsPerSecond", "latency", "errorRate", "hitRatio"] as const;

/** A limit to what is measured over a sliding window. Exactly one of `above` and `below` is given. */
export interface Alert {
  /**
   * `operationsPerSecond`; `latency`, a percentile in milliseconds; `errorRate`, failed calls among all, from 0 to 1, where
   * those that the caller aborted or got wrong, that `before` refused, and whose condition did not hold, are no errors; `hitRatio`, values that
   * were there among those that were asked for, from 0 to 1.
   */
  readonly metric: AlertMetric;
  /** @default all operations */
  readonly operation?: AlertOperation | undefined;
  /** Of `latency`: above 0, up to 100. @default 99 */
  readonly percentile?: number | undefined;
  /** Raised where the value is above it. */
  readonly above?: number | undefined;
  /** Raised where the value is below it. */
  readonly below?: number | undefined;
  /** Milliseconds that the value must stay beyond the limit before the alert is raised, and within it before it is cleared. @default 0 */
  readonly for?: number | undefined;
  /** Milliseconds that the value is measured over; it is looked at ten times in that time. @default 60_000 */
  readonly window?: number | undefined;
}

/** An alert was raised or cleared. */
export interface AlertEvent {
  readonly type: "alert";
  /** The place that it happened at: the option `subject` of the layer. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly alert: Alert;
  readonly state: "raised" | "cleared";
  /** What was measured; `undefined` where no calls were left to measure. */
  readonly value: number | undefined;
}
