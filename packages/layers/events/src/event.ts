import type { EntryInfo, OperationName } from "@stowage/core";
import type { AlertEvent } from "./alerts/alert.ts";

/** What every event says. */
interface Told {
  /** The place that it happened at: the option `subject` of the layer. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What an event of a call says. */
interface CallTold extends Told {
  /** The call that it came from: a `put` event comes from `put`, `write` or `batch`. */
  readonly operation: OperationName;
  /** Milliseconds from the call to its end; for `read` to the end of its stream. All keys of one call share it. */
  readonly duration: number;
}

/** A value was stored. */
export interface PutEvent extends CallTold {
  readonly type: "put";
  readonly key: string;
  /** Bytes of the value, where known. */
  readonly bytes: number | undefined;
  /** What the storage said of the entry; `undefined` inside a batch, which does not say. */
  readonly info: EntryInfo | undefined;
}

/** A value was asked for, by `get`, `getEntry`, `getEntries` or `read`; `head` and `has` give no event. */
export interface GetEvent extends CallTold {
  readonly type: "get";
  readonly key: string;
  /** Whether there was one. */
  readonly hit: boolean;
  /** Bytes that were handed out, where known: for `read` those of its stream, up to where it was cancelled. */
  readonly bytes: number | undefined;
}

/** A key was deleted, whether or not something was there. */
export interface DeleteEvent extends CallTold {
  readonly type: "delete";
  readonly key: string;
}

/** All under a prefix was deleted. */
export interface ClearEvent extends CallTold {
  readonly type: "clear";
  /** Empty for everything. */
  readonly prefix: string;
}

/** A call of any operation was rejected, or the stream of a `read` broke. A batch gives one for each key that failed. */
export interface ErrorEvent extends CallTold {
  readonly type: "error";
  /** Absent where the failure is not about one key. */
  readonly key: string | undefined;
  readonly error: unknown;
}

/** A cache below let go of an entry for want of room. Expiry and invalidation are no eviction. */
export interface EvictEvent extends Told {
  readonly type: "evict";
  /** The name of the layer that did: `"cached"`. */
  readonly storage: string;
  /** As that layer knows it. */
  readonly key: string;
  /** As that layer counts them, where it does. */
  readonly bytes: number | undefined;
}

/** The events by name. */
export interface StorageEvents {
  readonly put: PutEvent;
  readonly get: GetEvent;
  readonly delete: DeleteEvent;
  readonly clear: ClearEvent;
  readonly error: ErrorEvent;
  readonly evict: EvictEvent;
  readonly alert: AlertEvent;
}

export type EventName = keyof StorageEvents;
export type StorageEvent = StorageEvents[EventName];

/** Gets events of one name. What it throws or rejects with is reported to `onListenerError`. */
export type Listener<N extends EventName> = (event: StorageEvents[N]) => void;
