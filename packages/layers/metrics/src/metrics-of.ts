import type { AnyStorage, OperationName } from "@stowage/core";
import type { Calls, ErrorType, Outcome } from "./calls.ts";
import { Histogram } from "./histogram.ts";
import { placeOf } from "./metrics-storage.ts";
import type { Place } from "./place.ts";

/** What one metrics layer has measured since it was made. Times are milliseconds. */
export interface PlaceMetrics {
  /** The name that the layer was given. */
  readonly storage: string;
  /** What stands directly below it. */
  readonly layer: string;
  /** All that it measures alone: what is below, down to the next metrics layers, from the backend up. */
  readonly parts: readonly string[];
  /** Calls that have ended. A stream has ended when it was read to its end, cancelled or broken. */
  readonly calls: number;
  readonly errors: number;
  /** Bytes of values that were to be stored, where values are bytes. */
  readonly bytesIn: number;
  /** Bytes of values that were found, where values are bytes. */
  readonly bytesOut: number;
  /** All calls together, also those that nobody waited for. */
  readonly time: number;
  /** What callers of the stack waited for `parts` alone. */
  readonly ownTime: number;
  /** Whether `ownTime` is an estimate: calls fanned out here, or went on in the background. */
  readonly approximate: boolean;
  /** The operations that were called. */
  readonly operations: Readonly<Partial<Record<OperationName, OperationMetrics>>>;
}

/** The calls of one operation. Times are milliseconds; quantiles are within 3.2 %. */
export interface OperationMetrics {
  readonly calls: number;
  /** Calls that found nothing. */
  readonly missing: number;
  /** Calls that their caller gave up. */
  readonly aborted: number;
  /** Calls that failed, by the code of their error; `_OTHER` where it was no `StorageError`. */
  readonly errors: Readonly<Partial<Record<ErrorType, number>>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly time: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * What the metrics layers of a stack have measured, from the backend up. Empty where there is none.
 *
 * ```ts
 * console.table(metricsOf(users).map(({ parts, calls, ownTime }) => ({ parts: parts.join(" "), calls, ownTime })));
 * ```
 */
export function metricsOf(storage: AnyStorage): readonly PlaceMetrics[] {
  return placesOf(storage).map(metricsOfPlace);
}

/** All places of a stack, from the backend up. */
function placesOf(top: AnyStorage): Place[] {
  const places = new Set<Place>();
  const seen = new Set<AnyStorage>();
  const visit = (storage: AnyStorage): void => {
    if (seen.has(storage)) return;
    seen.add(storage);
    for (const inner of storage.inner) visit(inner);
    const place = placeOf(storage);
    if (place !== undefined) places.add(place);
  };
  visit(top);
  return [...places];
}

function metricsOfPlace(place: Place): PlaceMetrics {
  const operations: Partial<Record<OperationName, OperationMetrics>> = {};
  let [calls, errors, bytesIn, bytesOut, time] = [0, 0, 0, 0, 0];
  for (const callsOfOne of Object.values(place.calls)) {
    const operation = metricsOfOperation(callsOfOne);
    bytesIn += operation.bytesIn; // also of calls that are under way
    if (operation.calls === 0) continue;
    operations[callsOfOne.operation] = operation;
    calls += operation.calls;
    errors += Object.values(operation.errors).reduce((sum, count) => sum + count, 0);
    bytesOut += operation.bytesOut;
    time += operation.time;
  }
  const { storage, layer } = place.name;
  const parts = place.parts.map(({ name }) => name);
  return { storage, layer, parts, calls, errors, bytesIn, bytesOut, time, ...ownTimeOf(place), operations };
}

/** The difference of neighbours, of what somebody waited for. */
function ownTimeOf({ presence, below, now }: Place): Pick<PlaceMetrics, "ownTime" | "approximate"> {
  const moment = now();
  const waitedBelow = below.reduce((sum, lower) => sum + lower.presence.waitedUntil(lower.now()), 0);
  const ownTime = Math.max(presence.waitedUntil(moment) - waitedBelow, 0);
  const approximate = below.length > 1 || [presence, ...below.map((lower) => lower.presence)].some((each) => each.isApproximate);
  return { ownTime, approximate };
}

function metricsOfOperation({ endings, bytesIn, bytesOut }: Calls): OperationMetrics {
  const all = new Histogram();
  const counts: Record<Outcome, number> = { ok: 0, missing: 0, aborted: 0, error: 0 };
  const errors: Partial<Record<ErrorType, number>> = {};
  for (const { outcome, error, durations } of endings) {
    all.add(durations);
    counts[outcome] += durations.count;
    if (error !== undefined) errors[error] = durations.count;
  }
  return {
    calls: all.count,
    missing: counts.missing,
    aborted: counts.aborted,
    errors,
    bytesIn,
    bytesOut,
    time: all.sum,
    mean: all.count === 0 ? 0 : all.sum / all.count,
    p50: all.quantile(0.5),
    p90: all.quantile(0.9),
    p99: all.quantile(0.99),
    p999: all.quantile(0.999),
  };
}
