import type { Bytes, ByteStorage, Clock } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { Attempts } from "./attempts.ts";
import type { Journal } from "./journal.ts";
import type { Settings } from "./options.ts";
import type { Slot } from "./slots.ts";
import type { Write } from "./write.ts";
import { isLiving } from "./write.ts";

/** A write that the storage below refused for good. It is kept, and reads still see it. */
export interface DeadLetter {
  readonly type: "put" | "delete";
  readonly key: string;
  /** Milliseconds since the epoch when it was accepted. */
  readonly acceptedAt: number;
  readonly error: unknown;
}

export interface DrainOptions {
  readonly below: ByteStorage;
  readonly journal: Journal | undefined;
  readonly settings: Settings;
  /** For all that expires. */
  readonly clock: Clock;
  /** Aborted when all must end. */
  readonly stop: AbortSignal;
  /** Where nothing may be written now. */
  readonly isHeld: (key: string) => boolean;
  /** Rejects where the journal is another process's by now. */
  checkOwner(): Promise<void>;
  onReached(slot: Slot): void;
  /** The value of a write is not in the journal. Throws where it should be. */
  onMissing(write: Write): void;
  onDead(slot: Slot): void;
}

/** Brings the newest write of each slot below: one call at a time for each key, and nothing but failure holds one up. */
export class Drain {
  readonly #options: DrainOptions;
  readonly #attempts: Attempts;
  /** Wait for the end of the window. */
  readonly #waiting = new Set<Slot>();
  /** Are due. */
  readonly #ready = new Set<Slot>();
  /** Goes on where it stopped: a new one would pass by all that has left the set. */
  #order: SetIterator<Slot> = this.#ready.values();
  /** Wait after a failure; the object tells one wait from the next. */
  readonly #resting = new Map<Slot, object>();
  #running = 0;
  #window: object | undefined;
  /** After so many failures in a row that it is not one key. */
  #pause: object | undefined;
  #failuresInRow = 0;
  #pauses = 0;
  #hurries = 0;
  readonly stats = { written: 0, retries: 0 };

  constructor(options: DrainOptions) {
    this.#options = options;
    const { settings, stop } = options;
    this.#attempts = new Attempts(settings.attemptTimeout, settings.clock, stop);
  }

  /** A slot has a newest write that is not below. */
  add(slot: Slot): void {
    if (slot.isGone || slot.isBelow || slot.dead !== undefined || slot.writing || this.#ready.has(slot) || this.#resting.has(slot)) return;
    if (this.#hurries > 0 || this.#options.settings.window === 0) {
      this.#waiting.delete(slot);
      this.#ready.add(slot);
      this.#pump();
    } else {
      this.#waiting.add(slot);
      if (this.#window === undefined) void this.#openWindow();
    }
  }

  /** Ends every wait, that after a failure too. */
  hurry(): void {
    this.#endWindow();
    this.#pause = undefined;
    for (const slot of this.#resting.keys()) this.#ready.add(slot);
    this.#resting.clear();
    this.#pump();
  }

  /** As `hurry`, and nothing waits for a window until the returned function was called. */
  keepHurrying(): () => void {
    this.#hurries++;
    this.hurry();
    return () => void this.#hurries--;
  }

  /** What is pending goes below now, except what waits after a failure. */
  endWindow(): void {
    if (this.#waiting.size === 0) return;
    this.#endWindow();
    this.#pump();
  }

  #endWindow(): void {
    this.#window = undefined;
    for (const slot of this.#waiting) this.#ready.add(slot);
    this.#waiting.clear();
  }

  async #openWindow(): Promise<void> {
    const window = (this.#window = {});
    const { settings, stop } = this.#options;
    await settings.clock.sleep(settings.window, stop).catch(() => {});
    if (this.#window === window) this.endWindow();
  }

  #pump(): void {
    const { settings, stop, isHeld } = this.#options;
    while (!stop.aborted && this.#pause === undefined && this.#running < settings.concurrency) {
      const slot = this.#nextReady();
      if (slot === undefined) return;
      this.#ready.delete(slot);
      if (slot.isBelow || slot.dead !== undefined || isHeld(slot.key)) continue; // who holds it adds it again
      void this.#write(slot, slot.newest!);
    }
  }

  #nextReady(): Slot | undefined {
    if (this.#ready.size === 0) return undefined;
    const { value } = this.#order.next();
    if (value !== undefined) return value;
    this.#order = this.#ready.values();
    return this.#order.next().value;
  }

  async #write(slot: Slot, write: Write): Promise<void> {
    this.#running++;
    slot.writing = true;
    const sent = this.#options.checkOwner().then(() => this.#send(write));
    const failure = await sent.then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    this.#running--;
    slot.writing = false;
    if (failure === undefined) this.#succeeded(slot, write);
    else if (slot.newest !== undefined && !this.#options.stop.aborted) this.#failed(slot, write, failure.error);
    slot.changed();
    this.add(slot);
    this.#pump();
  }

  #succeeded(slot: Slot, write: Write): void {
    this.stats.written++;
    this.#failuresInRow = this.#pauses = slot.failures = 0;
    slot.reached = write.sequence;
    this.#options.onReached(slot);
  }

  #failed(slot: Slot, write: Write, error: unknown): void {
    if (slot.newest !== write && (write.isLeaving === true || !mayPass(error))) return; // a newer one goes at once
    if (!mayPass(error)) {
      slot.dead = { error };
      this.#options.onDead(slot);
      return;
    }
    this.stats.retries++;
    const least = (StorageError.is(error) && error.retryAfter) || 0;
    void this.#rest(slot, Math.max(this.#jitter(slot.failures++), least));
    if (++this.#failuresInRow >= this.#options.settings.concurrency && this.#pause === undefined) {
      void this.#rest(undefined, this.#jitter(this.#pauses++));
    }
  }

  /** Leaves a slot alone for a while; without one, all of them. */
  async #rest(slot: Slot | undefined, delay: number): Promise<void> {
    const rest = {};
    if (slot === undefined) this.#pause = rest;
    else this.#resting.set(slot, rest);
    const { settings, stop } = this.#options;
    await settings.clock.sleep(delay, stop).catch(() => {});
    if (slot === undefined && this.#pause === rest) this.#pause = undefined;
    else if (slot !== undefined && this.#resting.get(slot) === rest) {
      this.#resting.delete(slot);
      this.#ready.add(slot);
    }
    this.#pump();
  }

  #jitter(failures: number): number {
    const { minDelay, maxDelay } = this.#options.settings;
    return Math.max(Math.random() * Math.min(maxDelay, minDelay * 2 ** Math.min(failures, 30)), 1);
  }

  async #send(write: Write): Promise<void> {
    const { below, journal, clock, stop } = this.#options;
    const { key, value, size, expiresAt, metadata } = write;
    if (isLiving(write, clock) && value === undefined && below.capabilities.streams !== "none") {
      const chunks = (): AsyncIterable<Bytes> => this.#inJournal(write);
      await below.write(key, chunks, { size, expiresAt, metadata, signal: stop });
      return;
    }
    await this.#attempts.run(async (signal) => {
      if (!isLiving(write, clock)) await below.delete(key, { signal });
      else await below.put(key, value ?? (await journal!.value(write, signal)) ?? this.#missing(write), { expiresAt, metadata, signal });
    });
  }

  async *#inJournal(write: Write): AsyncGenerator<Bytes, void, void> {
    const { journal, stop } = this.#options;
    const stream = await journal!.stream(write, { start: 0, end: write.size, signal: stop });
    yield* stream ?? this.#missing(write);
  }

  #missing(write: Write): never {
    this.#options.onMissing(write);
    throw new StorageError("conflict", "The write was taken back while it was under way.", { storage: "behind" });
  }
}

/** Whether a later attempt may succeed. A store that is full may have room then. */
function mayPass(error: unknown): boolean {
  return StorageError.is(error) && (error.retryable || error.code === "closed" || error.code === "full");
}

export function letterOf({ key, newest, dead }: Slot): DeadLetter | undefined {
  if (newest === undefined || dead === undefined) return undefined;
  return { type: newest.type, key, acceptedAt: newest.modifiedAt, error: dead.error };
}
