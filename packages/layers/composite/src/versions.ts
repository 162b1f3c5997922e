import type { Clock, EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";

/** The metadata under which a replica keeps the version of a value. Callers never see it. */
export const versionName = "stowage-version";

/** The version of a value that has none: older than every other. */
export const oldest = "";

/**
 * When a value was written, and by whom: milliseconds, a counter and the writer, in hexadecimal, so that versions compare as
 * text. The largest times are left out, thousands of years from now.
 */
const form = /^[0-9a-e][0-9a-f]{11}-[0-9a-f]{4}-[0-9a-f]{16}$/;

const lastTime = 0xefffffffffff;
const lastCount = 0xffff;

/** The version of an entry as a replica knows it; `oldest` where it has none, or something else stands there. */
export function versionOf({ metadata }: EntryInfo): string {
  const version = metadata !== undefined && Object.hasOwn(metadata, versionName) ? metadata[versionName] : undefined;
  return version !== undefined && form.test(version) ? version : oldest;
}

/** When a version was made, in milliseconds since the epoch. */
export function timeOf(version: string): number {
  return version === oldest ? 0 : Number.parseInt(version.slice(0, 12), 16);
}

/**
 * Makes versions that are newer than every one that it made or saw before: a hybrid logical clock. It follows the time
 * of day and counts where that stands still, goes back, or lags behind what another writer has seen.
 */
export class VersionClock {
  readonly #clock: Pick<Clock, "now">;
  readonly #writer: string;
  #time = 0;
  #count = 0;

  /** @param writer 16 hexadecimal digits that no other writer has */
  constructor(clock: Pick<Clock, "now">, writer: string = randomWriter()) {
    this.#clock = clock;
    this.#writer = writer;
  }

  /** Learns of a version: the next one will be newer. */
  observe(version: string): void {
    if (version === oldest) return;
    const time = timeOf(version);
    const count = Number.parseInt(version.slice(13, 17), 16);
    if (time < this.#time || (time === this.#time && count <= this.#count)) return;
    this.#time = time;
    this.#count = count;
  }

  /**
   * @throws StorageError `corrupt` where a replica has the last version that there can be: what is written after it would be
   *   older, and lost without a word
   */
  next(): string {
    const now = Math.max(0, Math.floor(this.#clock.now()));
    if (now > this.#time) {
      this.#time = now;
      this.#count = 0;
    } else if (this.#count === lastCount) {
      this.#time++;
      this.#count = 0;
    } else this.#count++;
    if (this.#time > lastTime) throw noneIsNewer();
    return this.#format(this.#time, this.#count);
  }

  /** A version for a value that has none: newer than none at all, older than any that was ever put. */
  first(): string {
    return this.#format(0, 0);
  }

  #format(time: number, count: number): string {
    return `${time.toString(16).padStart(12, "0")}-${count.toString(16).padStart(4, "0")}-${this.#writer}`;
  }
}

function noneIsNewer(): StorageError {
  const message = "A replica has a version thousands of years from now, and none can be newer: find out who wrote it, and remove it there.";
  return new StorageError("corrupt", message, { storage: "composite" });
}

function randomWriter(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
