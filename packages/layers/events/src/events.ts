import type {
  AnyLayer,
  BatchOptions,
  ByteSource,
  Bytes,
  CallOptions,
  ClearOptions,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Lifecycle,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  ReadOptions,
  Storage,
  WriteOptions,
} from "@stowage/core";
import {
  anyLayer,
  cancelSource,
  ForwardingStorage,
  layerLifecycle,
  rejecting,
  StorageError,
  systemClock,
  withExpiries,
  withExpiry,
  writing,
} from "@stowage/core";
import type { ObservedCall } from "./calls.ts";
import type { Change } from "./changes.ts";
import type { EventName, Listener } from "./event.ts";
import { Gate } from "./gate.ts";
import { Hub } from "./hub.ts";
import { Observation, sizeOf } from "./observation.ts";
import { observedStream } from "./observed-stream.ts";
import type { EventsOptions } from "./options.ts";
import { check } from "./options.ts";
import type { WatchOptions } from "./watchers.ts";

/**
 * Tells of calls as they happen, and may refuse them. While nobody listens it hands calls on and does nothing else.
 *
 * Place in the stack: on top, where keys, values and hits are those of the application.
 *
 * @throws StorageError `invalid-option`
 */
export function events(options: EventsOptions = {}): AnyLayer {
  check(options);
  return anyLayer((inner) => new EventsStorage(inner, options));
}

/** What `events()` makes; `findLayer(storage, EventsStorage)` finds it. */
export class EventsStorage<V> extends ForwardingStorage<V> {
  readonly name = "events";
  readonly #options: EventsOptions;
  readonly #hub: Hub;
  readonly #lifecycle: Lifecycle;
  readonly #gate: Gate;

  constructor(inner: Storage<V>, options: EventsOptions) {
    super(inner, options.clock);
    this.#options = options;
    this.#hub = new Hub(inner, options, this.clock);
    const below = { close: (): Promise<void> => inner.close().finally(() => this.#hub.close()) };
    this.#lifecycle = layerLifecycle(this, below, options.clock ?? systemClock);
    this.#gate = new Gate(options.before, this.#lifecycle);
  }

  /**
   * Calls a listener with each event of a name from now on, in the order of subscription, right after the call has ended.
   * Returns what ends that; `close` ends it too.
   *
   * @throws StorageError `invalid-option` for a name that there is not, and a listener that is no function
   */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void {
    const { listeners } = this.#hub;
    if (!listeners.knows(name)) throw invalidOption(`there is no event ${JSON.stringify(name)}`);
    if (typeof listener !== "function") throw invalidOption("a listener must be a function");
    this.#lifecycle.check("on");
    return listeners.add(name, listener);
  }

  /** The changes that are made through this layer from the first `next` on; see `watch()`. */
  watch(options: WatchOptions = {}): AsyncIterable<Change> {
    return this.#hub.watchers.watch(options, () => this.#lifecycle.check("watch"));
  }

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    if (!this.#hub.heedsReads) return super.get(key, options);
    return this.#observe(
      this.#call("get", [key]),
      options,
      () => super.get(key, options),
      (value, call) => call.got(key, value !== undefined, sizeOf(value)),
    );
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    if (!this.#hub.heedsReads) return this.below.getEntry(key, options);
    return this.#observe(
      this.#call("getEntry", [key]),
      options,
      () => this.below.getEntry(key, options),
      (entry, call) => call.got(key, entry !== undefined, sizeOfEntry(entry)),
    );
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    if (!this.#hub.heedsReads) return this.below.getEntries(keys, options);
    return this.#observe(
      this.#call("getEntries", Array.isArray(keys) ? keys : []), // anything else is refused below
      options,
      () => this.below.getEntries(keys, options),
      (entries, call) => {
        for (const [index, key] of keys.entries()) call.got(key, entries[index] !== undefined, sizeOfEntry(entries[index]));
      },
    );
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    if (!this.#hub.heedsReads) return this.below.head(key, options);
    return this.#observe(this.#call("head", [key]), options, () => this.below.head(key, options));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    if (!this.#hub.heedsReads) return this.below.has(key, options);
    return this.#observe(this.#call("has", [key]), options, () => this.below.has(key, options));
  }

  override list(options?: ListOptions): Promise<Page> {
    if (!this.#hub.heedsReads) return this.below.list(options);
    return this.#observe(this.#call("list", [], options?.prefix ?? ""), options, () => this.below.list(options));
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    if (!this.#hub.heedsWrites) return super.put(key, value, options);
    return rejecting(() => {
      const settled = withExpiry(options, this.clock, this, "put");
      return this.#observe(
        this.#call("put", [key]),
        settled,
        () => this.below.put(key, value, settled),
        (info, call) => call.put(key, info?.size ?? sizeOf(value), info, settled),
      );
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    if (!this.#hub.heedsWrites) return this.below.delete(key, options);
    return this.#observe(
      this.#call("delete", [key]),
      options,
      () => this.below.delete(key, options),
      (_, call) => call.deleted(key),
    );
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    if (!this.#hub.heedsWrites) return super.batch(operations, options);
    return rejecting(() => {
      const settled = withExpiries(operations, this.clock, this);
      const keys = settled.map(({ key }) => key);
      return this.#observe(
        { ...this.#call("batch", keys), operations: settled },
        options,
        () => this.below.batch(settled, options),
        (_, call) => {
          for (const operation of settled) call.did(operation);
        },
      );
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    if (!this.#hub.heedsWrites) return this.below.clear(options);
    const prefix = options?.prefix ?? "";
    return this.#observe(
      this.#call("clear", [], prefix),
      options,
      () => this.below.clear(options),
      (_, call) => call.cleared(prefix),
    );
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    if (!this.#hub.heedsReads) return this.belowBytes.read(key, options);
    const observation = new Observation(this.#hub, this.#call("read", [key]), options?.signal);
    return this.#gate
      .pass(observation, () => this.belowBytes.read(key, options))
      .then(
        (entry) => {
          if (entry === undefined) {
            observation.succeed((call) => call.got(key, false, undefined));
            return undefined;
          }
          observation.handedOut();
          const value = observedStream(entry.value, options?.signal, {
            ended: (bytes) => observation.succeed((call) => call.got(key, true, bytes)),
            failed: (error) => observation.fail(error),
          });
          return { ...entry, value };
        },
        (error: unknown) => {
          observation.fail(error);
          throw error;
        },
      );
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    if (!this.#hub.heedsWrites) return super.write(key, source, options);
    return writing(source, () => {
      const settled = withExpiry(options, this.clock, this, "write");
      let sent = false;
      const send = (): Promise<EntryInfo> => {
        sent = true;
        return this.belowBytes.write(key, source, settled);
      };
      const written = this.#observe(this.#call("write", [key]), settled, send, (info, call) =>
        call.put(key, info?.size ?? settled?.size, info, settled),
      );
      // The source is let go by whoever is below once it was sent there, else here.
      written.catch((error: unknown) => void (sent || cancelSource(source, error)));
      return written;
    });
  }

  override flush(options?: CallOptions): Promise<void> {
    if (!this.#hub.heedsReads) return this.below.flush(options);
    return this.#observe(this.#call("flush", []), options, () => this.below.flush(options));
  }

  /** Tells what is still to be told, then ends listeners, watches and alerts. */
  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  override details(): Details {
    const { subject, listeners, watchers, alerts } = this.#hub;
    return {
      options: { subject, ...(this.#options.alerts !== undefined && { alerts: this.#options.alerts }) },
      stats: {
        listeners: listeners.count,
        listenerErrors: listeners.errors,
        watchers: watchers.size,
        missed: watchers.missed,
        refused: this.#gate.refused,
        alertsRaised: alerts?.raised ?? 0,
      },
    };
  }

  #call(operation: OperationName, keys: readonly string[], prefix?: string): ObservedCall {
    return { subject: this.#hub.subject, operation, keys, prefix, operations: undefined };
  }

  /** Sends a call and tells of its end, on a branch of its promise: nobody who is told can change or delay the answer. */
  #observe<T>(
    call: ObservedCall,
    options: CallOptions | undefined,
    send: () => Promise<T>,
    tell?: (answer: T, observation: Observation) => void,
  ): Promise<T> {
    const observation = new Observation(this.#hub, call, options?.signal);
    const answer = this.#gate.pass(observation, send);
    answer.then(
      (value) => observation.succeed(tell && ((ended) => tell(value, ended))),
      (error: unknown) => observation.fail(error),
    );
    return answer;
  }
}

function sizeOfEntry(entry: Entry<unknown> | undefined): number | undefined {
  return entry === undefined ? undefined : (entry.size ?? sizeOf(entry.value));
}

function invalidOption(problem: string): StorageError {
  return new StorageError("invalid-option", `events: ${problem}.`, { storage: "events" });
}
