import { StorageError } from "./storage-error.ts";

/** Which values from before a layer was added are given as they are: all for ever, or all `until` a moment (a date, its text, or ms since the epoch). */
export type Legacy = "raw" | { readonly until: Date | string | number };

/**
 * The moment before which a layer gives values from before it as they are: never without the option, always with `"raw"`.
 *
 * @throws StorageError `invalid-option`, in the name of the layer
 */
export function legacyUntil(legacy: Legacy | undefined, storage: string): number {
  if (legacy === undefined) return Number.NEGATIVE_INFINITY;
  if (legacy === "raw") return Number.POSITIVE_INFINITY;
  const until = typeof legacy === "object" && legacy !== null ? new Date(legacy.until).getTime() : Number.NaN;
  if (!Number.isNaN(until)) return until;
  throw new StorageError("invalid-option", `In the options of ${storage}, legacy must be "raw" or { until: a date }.`, { storage });
}
