import type { BooleanOption, Clock, TextOption, Typed } from "@stowage/core";
import { option } from "@stowage/core";

export interface MetricsOptions {
  /** Whether anything is measured; where not, there is no layer. @default true */
  readonly enabled?: boolean | undefined;
  /**
   * What the storage is called among others: `users`. Storages of one name are counted together. At most a few; never
   * something that comes from a request. @default "default", in YAML the name of the storage
   */
  readonly name?: string | undefined;
  /** Whether each call has a span of OpenTelemetry. @default false */
  readonly spans?: boolean | undefined;
  /** @default for durations the monotonic clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

/** Letters of a name that every system of dashboards takes as it is. */
const namePattern = { source: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", meaning: "a name of letters, digits, dots, dashes and underscores" };

/** The options as a storage file and the factory check them. */
export const definitions: {
  readonly enabled: Typed<BooleanOption, boolean, { readonly default: true }>;
  readonly name: Typed<TextOption, string, { readonly pattern: typeof namePattern }>;
  readonly spans: Typed<BooleanOption, boolean, { readonly default: false }>;
} = {
  enabled: option.boolean("Whether anything is measured; where not, there is no layer.", { default: true }),
  name: option.text("What the storage is called among others; without it as in this file.", { pattern: namePattern }),
  spans: option.boolean("Whether each call has a span of OpenTelemetry.", { default: false }),
};
