import { checkOptions, StorageError } from "@stowage/core";
import type { EnvelopeOptions } from "./envelope.ts";

/** The moment before which values without a header are given, out of options that were checked. */
export function legacyUntil(options: EnvelopeOptions): number {
  checkOptions({}, options, "envelope", ["legacy"]);
  const { legacy } = options;
  if (legacy === undefined) return Number.NEGATIVE_INFINITY;
  if (legacy === "raw") return Number.POSITIVE_INFINITY;
  const until = typeof legacy === "object" && legacy !== null ? new Date(legacy.until).getTime() : Number.NaN;
  if (!Number.isNaN(until)) return until;
  throw new StorageError("invalid-option", 'In the options of envelope, legacy must be "raw" or { until: a date }.', {
    storage: "envelope",
  });
}
