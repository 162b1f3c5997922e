import type { Clock } from "@stowage/core";
import { rejecting } from "@stowage/core";
import type { Bus, Target } from "./bus.ts";
import { readInvalidation } from "./bus.ts";

/** Milliseconds that `close` waits for messages which are still being sent. */
const closeTimeout = 10_000;

/** The place of one cache on a bus. It never throws: what the bus cannot do is counted. */
export class BusLink {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #hear: (target: Target) => void;
  readonly #name = crypto.getRandomValues(new Uint32Array(4)).join("-");
  readonly #sending = new Set<Promise<void>>();
  #leave: (() => void) | undefined;
  /** Messages of others that were heard. */
  heard = 0;
  /** Messages that could not be sent or understood, and subscriptions that failed. */
  failures = 0;

  /** @param hear told what others changed */
  constructor(bus: Bus, clock: Clock, hear: (target: Target) => void) {
    this.#bus = bus;
    this.#clock = clock;
    this.#hear = hear;
  }

  /** Begins to listen, before the first thing is cached. */
  join(): void {
    if (this.#leave !== undefined) return;
    try {
      this.#leave = this.#bus.subscribe((message) => this.#receive(message));
    } catch {
      this.failures++; // the next call tries again
    }
  }

  tell(target: Target): void {
    const sending: Promise<void> = rejecting(async () => await this.#bus.publish({ ...target, sender: this.#name }))
      .catch(() => void this.failures++)
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  /** Stops listening, and waits until the others were told. */
  async close(): Promise<void> {
    try {
      this.#leave?.();
    } catch {
      this.failures++;
    }
    this.#leave = () => {};
    if (this.#sending.size === 0) return;
    const stop = new AbortController();
    await Promise.race([Promise.all(this.#sending), this.#clock.sleep(closeTimeout, stop.signal).catch(() => {})]);
    stop.abort();
  }

  #receive(delivered: unknown): void {
    const message = readInvalidation(delivered);
    if (message === undefined) {
      this.failures++;
    } else if (message.sender !== this.#name) {
      this.heard++;
      this.#hear(message);
    }
  }
}
