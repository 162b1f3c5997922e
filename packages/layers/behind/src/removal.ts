import type { ByteStorage } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Journal } from "./journal.ts";
import type { Settings } from "./options.ts";
import type { Slot } from "./slots.ts";
import type { Write } from "./write.ts";

/** Slots in one round at the most. */
const roundSize = 1_000;

export interface RemovalOptions {
  readonly below: ByteStorage;
  readonly journal: Journal;
  readonly settings: Settings;
  /** Aborted when all must end. */
  readonly stop: AbortSignal;
  readonly isHeld: (key: string) => boolean;
  /** The record of a write is not there any more. */
  readonly onRemoved: (slot: Slot, write: Write) => void;
  /** What was written must be written again. */
  onUndone(slot: Slot): void;
  /** Another process has taken the journal over. */
  readonly onLost: (error: unknown) => void;
}

/**
 * Removes records that are no longer needed. The newest record of a key goes last, when its write is below and all older
 * ones are gone: whatever a crash leaves of a key, the newest of it is the last write that was accepted.
 */
export class Removal {
  readonly #options: RemovalOptions;
  readonly #due = new Set<Slot>();
  #running = false;
  #failures = 0;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Notes a slot whose older records may go, or its newest one. Nothing is removed before `start`. */
  add(slot: Slot): void {
    if (!slot.isGone && (slot.hasOlder || (slot.newest !== undefined && isLast(slot, slot.newest)))) this.#due.add(slot);
  }

  /**
   * Removes all that is left of some slots, for whoever holds them: what is below takes its place, and is made as safe
   * before. Rejects where something may still be there.
   */
  async removeAll(slots: readonly Slot[], signal: AbortSignal | undefined): Promise<void> {
    const { below, journal } = this.#options;
    if (isWeaker(below, journal.storage)) await below.flush({ signal });
    await journal.checkOwner();
    const older = slots.flatMap((slot) => Array.from(slot.older ?? [], (write) => [slot, write] as const));
    await this.#remove(older, true);
    const newest = slots.flatMap((slot) => (slot.newest === undefined ? [] : [[slot, slot.newest] as const]));
    await this.#remove(newest, true);
  }

  start(): void {
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const { settings, stop, onLost } = this.#options;
    await Promise.resolve(); // so that what comes in one turn goes in one call
    while (this.#due.size > 0 && !stop.aborted) {
      const slots = this.#take();
      if (slots.length === 0) break; // all are held; who holds them starts again
      let failed = true;
      try {
        failed = await this.#round(slots);
      } catch (error) {
        if (StorageError.is(error, "conflict") && !error.retryable) onLost(error);
        for (const slot of slots) this.add(slot);
      }
      for (const slot of slots) {
        slot.removing = false;
        slot.changed();
      }
      this.#failures = failed ? this.#failures + 1 : 0;
      if (failed) await settings.clock.sleep(this.#delay(), stop).catch(() => {});
    }
    this.#running = false;
  }

  #take(): Slot[] {
    const taken: Slot[] = [];
    for (const slot of this.#due) {
      if (taken.length === roundSize) break;
      if (this.#options.isHeld(slot.key)) continue;
      this.#due.delete(slot);
      slot.removing = true;
      taken.push(slot);
    }
    return taken;
  }

  /** True where something could not be removed. */
  async #round(slots: readonly Slot[]): Promise<boolean> {
    const { below, journal } = this.#options;
    await journal.checkOwner();
    const reached = new Map<Slot, Write>();
    for (const slot of slots) if (slot.newest !== undefined && slot.isBelow) reached.set(slot, slot.newest);
    if (reached.size > 0 && isWeaker(below, journal.storage)) {
      // What was not made safe may be lost below, although it was written.
      await below.flush({ signal: this.#options.stop }).catch(() => this.#undo(reached));
    }
    const older = slots.flatMap((slot) => Array.from(slot.older ?? [], (write) => [slot, write] as const));
    const olderFailed = await this.#remove(older);
    const newest = Array.from(reached).filter(([slot, write]) => isLast(slot, write));
    const newestFailed = await this.#remove(newest);
    for (const slot of slots) this.add(slot);
    return olderFailed || newestFailed;
  }

  async #remove(records: readonly (readonly [Slot, Write])[], all = false): Promise<boolean> {
    if (records.length === 0) return false;
    const { journal, onRemoved } = this.#options;
    for (const [, write] of records) write.isLeaving = true;
    const failed = await journal.remove(records.map(([, write]) => write));
    for (const [slot, write] of records) if (!failed.has(write)) onRemoved(slot, write);
    for (const [, error] of failed) if (all) throw error;
    return failed.size > 0;
  }

  #undo(reached: Map<Slot, Write>): void {
    for (const slot of reached.keys()) {
      slot.reached = 0;
      this.#options.onUndone(slot);
    }
    reached.clear();
  }

  #delay(): number {
    const { minDelay, maxDelay } = this.#options.settings;
    return Math.max(Math.random() * Math.min(maxDelay, minDelay * 2 ** Math.min(this.#failures, 30)), 1);
  }
}

/** Whether nothing of a key would be left behind. */
function isLast(slot: Slot, write: Write): boolean {
  return slot.newest === write && slot.isBelow && !slot.hasOlder && slot.arriving === 0;
}

function isWeaker(below: ByteStorage, journal: ByteStorage): boolean {
  const ranks = ["memory", "process", "power"];
  return ranks.indexOf(below.capabilities.durability) < ranks.indexOf(journal.capabilities.durability);
}
