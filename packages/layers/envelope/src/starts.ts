import type { Clock, StoredValue } from "@stowage/core";
import { Damage, headerOf, missingLayer, Unreadable } from "@stowage/core";
import { readHeader } from "./format.ts";
import type { Start } from "./format.ts";

/** Enough of a value for its header, unless there is much metadata. */
export const headSize = 4096;

/** Finds out how stored values begin, and whether they may begin like that. */
export class Starts {
  readonly #storage: string;
  readonly #clock: Clock;
  readonly #legacyUntil: number;

  constructor(storage: string, clock: Clock, legacyUntil: number) {
    this.#storage = storage;
    this.#clock = clock;
    this.#legacyUntil = legacyUntil;
  }

  /** The start of bytes that are all there. */
  of(stored: Uint8Array, key: string): Start {
    const start = this.#check(stored, key);
    if (typeof start === "number") throw new Damage("it ends within its header");
    return start;
  }

  /** The start of a value, by as many of its bytes as that takes. */
  async find(value: StoredValue): Promise<Start> {
    const start = this.#check(await value.bytes(0, headSize), value.key);
    return typeof start === "number" ? this.of(await value.bytes(0, start), value.key) : start;
  }

  /** Refuses a value without a header, unless the option allows it now. */
  checkLegacy(): void {
    if (this.#isLegacyTime()) return;
    throw new Unreadable("corrupt", 'The value was not stored through this layer; the option legacy: "raw" gives values from before it.');
  }

  #check(bytes: Uint8Array, key: string): Start | number {
    const start = readHeader(bytes);
    if (start !== "raw" || this.#isLegacyTime()) return start;
    const found = headerOf(bytes);
    if (found !== undefined) throw missingLayer(found, { storage: this.#storage, key });
    this.checkLegacy();
    return start;
  }

  #isLegacyTime(): boolean {
    return this.#clock.now() < this.#legacyUntil;
  }
}
