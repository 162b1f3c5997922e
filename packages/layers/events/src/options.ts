import type { Clock, Options } from "@stowage/core";
import { checkOptions, option, StorageError } from "@stowage/core";
import type { Alert, AlertEvent } from "./alerts/alert.ts";
import { alertMetrics, alertOperations } from "./alerts/alert.ts";
import type { After, Before } from "./calls.ts";
import type { OnListenerError } from "./listeners.ts";

export interface EventsOptions {
  /** What events call the place of this layer. @default the name of the storage below; in a storage file the name of the storage there */
  readonly subject?: string | undefined;
  /**
   * Runs before each call is sent, and is waited for. What it throws or rejects with refuses the call: a `StorageError` as
   * it is, anything else as the cause of one with the code `denied`. @default nothing
   */
  readonly before?: Before | undefined;
  /** Runs after each call has ended, those that were refused included. It changes nothing and is not waited for. @default nothing */
  readonly after?: After | undefined;
  /** Limits to what is measured, told as `alert` events when they are passed and when all is well again. @default none */
  readonly alerts?: readonly Alert[] | undefined;
  /** The first listener to `alert`. @default nobody */
  readonly onAlert?: ((event: AlertEvent) => void) | undefined;
  /** Gets what a listener or `after` threw or rejected with, and the event or call it was told of. @default it is only counted */
  readonly onListenerError?: OnListenerError | undefined;
  /** @default for times and alerts the clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

const limit = "in milliseconds for latency, else a number; exactly one of above and below is given.";

const alertDefinitions: Options = {
  metric: option.choice("What is measured.", alertMetrics, { required: true }),
  operation: option.choice("The operation that it is about; all unless told otherwise.", alertOperations),
  percentile: option.number("Which percentile of latency, above 0.", { max: 100, default: 99 }),
  above: option.either(`Raised where the value is above it, ${limit}`, [option.number("A number."), option.duration("A time.")]),
  below: option.either(`Raised where the value is below it, ${limit}`, [option.number("A number."), option.duration("A time.")]),
  for: option.duration("How long the value must stay beyond the limit to raise it, and within it to clear it.", { default: 0 }),
  window: option.duration("How long the value is measured over; it is looked at ten times in that time.", {
    min: 100,
    default: 60_000,
  }),
};

/** The options that a storage file can give. */
export const definitions: Options = {
  subject: option.text("What events call the place of this layer; the name of the storage unless told otherwise."),
  alerts: option.list("Limits to what is measured over a sliding window.", option.object("One limit.", alertDefinitions)),
};

const functions = ["before", "after", "onAlert", "onListenerError"] as const;

/** @throws StorageError `invalid-option` */
export function check(options: EventsOptions): void {
  const alerts: unknown = options?.alerts;
  // One by one first, so that what is wrong is said of the part that is.
  if (Array.isArray(alerts)) for (const alert of alerts) checkOptions(alertDefinitions, alert as object, "events: an alert");
  checkOptions(definitions, options, "events", functions);
  for (const name of functions) {
    if (options[name] !== undefined && typeof options[name] !== "function") throw invalidOption(`${name} must be a function`);
  }
  for (const alert of options.alerts ?? []) checkAlert(alert);
}

function checkAlert({ metric, operation, percentile, above, below }: Alert): void {
  if ((above === undefined) === (below === undefined)) throw invalidOption("an alert needs exactly one of above and below");
  if (percentile === 0) throw invalidOption("the percentile of an alert must be above 0");
  if (percentile !== undefined && metric !== "latency") throw invalidOption("only an alert on latency has a percentile");
  const isShare = metric === "errorRate" || metric === "hitRatio";
  if (isShare && (above ?? below ?? 0) > 1) throw invalidOption(`the limit of an alert on ${metric} must be from 0 to 1`);
  if (metric === "hitRatio" && operation !== undefined && operation !== "get") {
    throw invalidOption('an alert on hitRatio is about the operation "get"');
  }
}

function invalidOption(problem: string): StorageError {
  return new StorageError("invalid-option", `events: ${problem}.`, { storage: "events" });
}
