import type { Clock } from "@stowage/core";

export interface BreakerSettings {
  /** Failures in a row after which a replica is left alone. */
  readonly failures: number;
  /** Milliseconds that it is left alone before a call tries it again. */
  readonly pause: number;
}

/** `up`: it is asked. `down`: it is left alone. `trying`: one call is on its way to find out whether it is back. */
export type Health = "up" | "down" | "trying";

/** Leaves a replica alone that fails again and again, and lets one call at a time find out whether it is back. */
export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #clock: Pick<Clock, "now">;
  #failures = 0;
  #downSince = 0;
  #trying = false;

  constructor(settings: BreakerSettings, clock: Pick<Clock, "now">) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get health(): Health {
    if (this.#failures < this.#settings.failures) return "up";
    return this.#trying ? "trying" : "down";
  }

  /** Whether a call may be sent now. Who gets `true` tells how it ended. */
  admit(): boolean {
    if (this.#failures < this.#settings.failures) return true;
    const rested = this.#clock.now() - this.#downSince;
    // A time of day that was set back must not prolong the pause.
    if (this.#trying || (rested >= 0 && rested < this.#settings.pause)) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#trying = false;
  }

  failed(): void {
    this.#trying = false;
    if (++this.#failures >= this.#settings.failures) this.#downSince = this.#clock.now();
  }

  /** The call ended without telling anything about the replica. */
  gaveUp(): void {
    this.#trying = false;
  }
}
