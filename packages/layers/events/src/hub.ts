import type { AnyStorage, Clock } from "@stowage/core";
import { isExpired, systemClock } from "@stowage/core";
import { Alerts } from "./alerts/alerts.ts";
import type { After } from "./calls.ts";
import { listenToEvictions } from "./evictions.ts";
import { Listeners } from "./listeners.ts";
import type { EventsOptions } from "./options.ts";
import { Watchers } from "./watchers.ts";

/** Who wants to know what about the calls of one layer. */
export class Hub {
  readonly subject: string;
  readonly after: After | undefined;
  readonly alerts: Alerts | undefined;
  readonly listeners: Listeners;
  readonly watchers: Watchers;
  /** Somebody wants to know of calls that only read. */
  heedsReads = false;
  /** Somebody wants to know of calls that write. */
  heedsWrites = false;
  readonly #clock: Clock;
  readonly #expiryClock: Clock;
  readonly #below: AnyStorage;
  readonly #before: unknown;
  #stopEvictions: (() => void) | undefined;

  /** @param expiryClock the one by which entries expire */
  constructor(below: AnyStorage, options: EventsOptions, expiryClock: Clock) {
    this.#below = below;
    this.#expiryClock = expiryClock;
    this.#clock = options.clock ?? systemClock;
    this.subject = options.subject ?? below.name;
    this.#before = options.before;
    this.after = options.after;
    const update = (): void => this.#update();
    this.watchers = new Watchers(update);
    this.listeners = new Listeners(options.onListenerError, update);
    if (options.alerts !== undefined && options.alerts.length > 0) {
      this.alerts = new Alerts(
        options.alerts,
        this.#clock,
        () => this.time(),
        (alert, state, value) =>
          this.listeners.tell("alert", { type: "alert", subject: this.subject, at: this.now(), alert, state, value }),
      );
    }
    if (options.onAlert !== undefined) this.listeners.add("alert", options.onAlert);
    update();
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#clock.now();
  }

  /** Milliseconds to measure durations by: finer than the time of day, and never set back. */
  time(): number {
    return this.#clock === systemClock ? performance.now() : this.#clock.now();
  }

  /** Whether nothing is there after a put with these options, because it expired before it was stored. */
  isDelete(options: { readonly expiresAt?: number | undefined } | undefined): boolean {
    return isExpired(options?.expiresAt, this.#expiryClock);
  }

  /** Ends what was begun for listeners, watchers and alerts. */
  close(): void {
    this.watchers.endAll();
    this.alerts?.close();
    this.listeners.removeAll();
  }

  #update(): void {
    const { listeners, watchers } = this;
    const heedsAll = (this.#before ?? this.after ?? this.alerts) !== undefined || listeners.has("error");
    this.heedsReads = heedsAll || listeners.has("get");
    this.heedsWrites = heedsAll || watchers.size > 0 || listeners.has("put") || listeners.has("delete") || listeners.has("clear");
    if (listeners.has("evict")) this.#stopEvictions ??= this.#listenToEvictions();
    else {
      this.#stopEvictions?.();
      this.#stopEvictions = undefined;
    }
  }

  #listenToEvictions(): () => void {
    return listenToEvictions(this.#below, ({ key, size }, storage) =>
      this.listeners.tell("evict", { type: "evict", subject: this.subject, at: this.now(), storage, key, bytes: size }),
    );
  }
}
