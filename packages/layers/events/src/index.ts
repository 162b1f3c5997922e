export { events, EventsStorage } from "./events.ts";
export { watch } from "./watch.ts";
export type { Alert, AlertEvent, AlertMetric, AlertOperation } from "./alerts/alert.ts";
export type { After, Before, CallOutcome, ObservedCall } from "./calls.ts";
export type { Change } from "./changes.ts";
export type {
  ClearEvent,
  DeleteEvent,
  ErrorEvent,
  EventName,
  EvictEvent,
  GetEvent,
  Listener,
  PutEvent,
  StorageEvent,
  StorageEvents,
} from "./event.ts";
export type { Evicted, Evicting } from "./evictions.ts";
export type { OnListenerError } from "./listeners.ts";
export type { EventsOptions } from "./options.ts";
export type { WatchOptions } from "./watchers.ts";
