import { diag } from "@opentelemetry/api";
import { scope } from "./names.ts";

/** Does something with OpenTelemetry. What that throws touches no operation; its diagnostic log hears of it. */
export function guarded<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    try {
      diag.warn(`${scope}: what was called of OpenTelemetry failed.`, error);
    } catch {
      // A log that fails has nobody left to tell.
    }
    return undefined;
  }
}
