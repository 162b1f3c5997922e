import type { ByteStorage, Clock, Operation, Bytes } from "@stowage/core";
import { isExpired, StorageError, untilAborted } from "@stowage/core";
import { failuresOf, Journal } from "./journal.ts";
import type { Settings } from "./options.ts";
import type { Write } from "./record.ts";
import { Room } from "./room.ts";

/** A write that the storage below refused for good. Reads still see it. */
export interface DeadLetter {
  readonly key: string;
  readonly sequence: number;
  /** Of the error, or `"internal"` where it was none of the toolkit. */
  readonly code: string;
  readonly error: unknown;
}

/** What is known of a key that has a pending write, or records in the journal. */
interface Slot {
  readonly key: string;
  /** The last write that was acknowledged. */
  newest: Write | undefined;
  /** `newest` has reached the storage below. */
  settled: boolean;
  state: "idle" | "waiting" | "sending" | "resting" | "dead";
  /** Writes that are on their way into the journal. */
  readonly landing: Set<number>;
  /** Writes whose records are, or may be, in the journal. */
  readonly records: Set<number>;
  since: number;
  failures: number;
  /** Must not go along with others, because it may be why they were refused. */
  alone: boolean;
  error: unknown;
}

interface Drainer {
  readonly wanted: Map<Slot, number>;
  finish(): void;
}

/** Failures in company after which a write goes alone. */
const patience = 5;

export const sizeOf = (write: Pick<Write, "value">): number => write.value?.byteLength ?? 0;

/**
 * Acknowledged writes on their way to the storage below: at most one call at a time for each key, the newest write wins.
 *
 * The newest record of a key stays in the journal until it has reached the storage below and every older record of the key
 * is gone: whatever a crash leaves behind, the newest of it is the last write that was acknowledged.
 */
export class Queue {
  readonly room: Room;
  readonly #below: ByteStorage;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #expiry: Clock;
  readonly #journal: Journal | undefined;
  readonly #slots = new Map<string, Slot>();
  readonly #waiting = new Map<string, Slot>();
  readonly #ready = new Map<string, Slot>();
  readonly #drainers = new Set<Drainer>();
  readonly #rests = new Set<AbortController>();
  readonly #removals = new Map<number, Slot>();
  readonly #stop = new AbortController();
  readonly counters = { written: 0, coalesced: 0, retries: 0, dead: 0 };
  #last = 0;
  #sending = 0;
  #sweeping: Promise<void> | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #wake: AbortController | undefined;
  #closing = false;

  constructor(below: ByteStorage, settings: Settings, expiry: Clock) {
    this.#below = below;
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#expiry = expiry;
    this.#journal = settings.journal && new Journal(settings.journal);
    this.room = new Room(settings.maxPending, settings.maxPendingSize);
  }

  /** Takes up what an earlier process left in the journal. */
  async open(): Promise<void> {
    for (const write of (await this.#journal?.recover()) ?? []) {
      this.#last = write.sequence;
      this.room.take(1, sizeOf(write));
      this.#accept(write);
    }
    this.#pump();
  }

  /** The write of a key that reads must see. */
  find(key: string): Write | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined || slot.settled ? undefined : slot.newest;
  }

  /** All that reads must see. */
  *pending(): Generator<Write, void, void> {
    for (const slot of this.#slots.values()) if (!slot.settled && slot.newest !== undefined) yield slot.newest;
  }

  get oldest(): number | undefined {
    let oldest: number | undefined;
    for (const slot of this.#slots.values()) if (!slot.settled && !(slot.since >= (oldest ?? Infinity))) oldest = slot.since;
    return oldest;
  }

  /** Acknowledges writes, for which room was taken. Tells which could not be, by their position. */
  async append(drafts: readonly Omit<Write, "sequence">[], atomic: boolean): Promise<ReadonlyMap<number, unknown>> {
    const writes = drafts.map((draft): Write => ({ ...draft, sequence: ++this.#last }));
    for (const write of writes) this.#slotOf(write.key).landing.add(write.sequence);
    const failed = (await this.#journal?.append(writes, atomic)) ?? new Map<number, unknown>();
    for (const [index, write] of writes.entries()) {
      if (failed.has(index)) this.#giveUp(write, failed.get(index));
      else this.#accept(write);
    }
    this.#pump();
    return failed;
  }

  /** Resolves when all that is acknowledged now has reached the storage below, or is a dead letter. */
  drain(signal?: AbortSignal): Promise<void> {
    const wanted = new Map<Slot, number>();
    for (const slot of this.#slots.values()) {
      if (!slot.settled && slot.state !== "dead" && slot.newest !== undefined) wanted.set(slot, slot.newest.sequence);
    }
    if (wanted.size === 0) return Promise.resolve();
    let drainer: Drainer | undefined;
    const drained = new Promise<void>((resolve) => {
      drainer = { wanted, finish: resolve };
      this.#drainers.add(drainer);
    });
    for (const rest of this.#rests) rest.abort();
    this.#pump();
    return untilAborted(drained, signal).finally(() => this.#drainers.delete(drainer!));
  }

  deadLetters(): readonly DeadLetter[] {
    return Array.from(this.#slots.values())
      .filter(({ state }) => state === "dead")
      .map(letterOf);
  }

  retryDeadLetters(): void {
    for (const slot of this.#slots.values()) if (slot.state === "dead") this.#revive(slot);
    this.#pump();
  }

  discardDeadLetters(): void {
    for (const slot of this.#slots.values()) {
      if (slot.state !== "dead") continue;
      this.#bury(slot);
      this.#settle(slot);
    }
  }

  /** Writes what is left, for a limited time. Gives what could not be written. */
  async close(): Promise<readonly DeadLetter[]> {
    this.#closing = true;
    const enough = new AbortController();
    const late = this.#clock.sleep(this.#settings.closeTimeout, enough.signal).catch(() => {});
    await Promise.race([this.drain().then(() => this.#swept()), late]);
    enough.abort();
    this.#stop.abort(new StorageError("closed", "The storage was closed.", { storage: "behind" }));
    this.#wake?.abort();
    this.room.refuseAll(this.#stop.signal.reason);
    return Array.from(this.#slots.values())
      .filter(({ settled }) => !settled)
      .map(letterOf);
  }

  async #swept(): Promise<void> {
    while (this.#sweeping !== undefined) await this.#sweeping;
  }

  #slotOf(key: string): Slot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      const fresh = { newest: undefined, settled: true, state: "idle", since: 0, failures: 0, alone: false, error: undefined } as const;
      slot = { key, landing: new Set(), records: new Set(), ...fresh };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #accept(write: Write): void {
    const slot = this.#slotOf(write.key);
    slot.landing.delete(write.sequence);
    if (this.#journal !== undefined) slot.records.add(write.sequence);
    const { newest } = slot;
    if (newest !== undefined && newest.sequence > write.sequence) {
      this.counters.coalesced++;
      this.room.leave(sizeOf(write)); // overtaken on its way into the journal
    } else {
      slot.newest = write;
      if (newest === undefined || slot.settled) slot.since = this.#clock.now();
      else {
        this.counters.coalesced++;
        if (slot.state === "dead") this.#revive(slot, newest);
        this.room.leave(sizeOf(newest));
      }
      slot.settled = false;
      if (slot.state === "idle") this.#wait(slot, this.#waiting);
    }
    this.#sweep(slot);
  }

  /** A write that was not acknowledged: where its record may have landed, that is taken back. */
  #giveUp(write: Write, error: unknown): void {
    const slot = this.#slotOf(write.key);
    slot.landing.delete(write.sequence);
    this.room.leave(sizeOf(write));
    if (!(StorageError.is(error) && error.outcome === "none")) slot.records.add(write.sequence);
    this.#sweep(slot);
  }

  #wait(slot: Slot, where: Map<string, Slot>): void {
    slot.state = "waiting";
    where.set(slot.key, slot);
  }

  /** Sends what is due, as far as the bounds allow, and sleeps until more is. */
  #pump(): void {
    while (this.#sending < this.#settings.concurrency && !this.#stop.signal.aborted) {
      const batch = this.#take();
      if (batch.length === 0) return;
      void this.#send(batch);
    }
  }

  #take(): Slot[] {
    const batch: Slot[] = [];
    if (this.#fill(batch, this.#ready) && (batch.length > 0 || this.#isDue())) this.#fill(batch, this.#waiting);
    return batch;
  }

  /** False where the batch takes no more. */
  #fill(batch: Slot[], from: Map<string, Slot>): boolean {
    for (const slot of from.values()) {
      const alone = slot.alone || slot.failures >= patience;
      if (alone && batch.length > 0) return false;
      from.delete(slot.key);
      batch.push(slot);
      if (alone || batch.length >= this.#settings.batch) return false;
    }
    return true;
  }

  #isDue(): boolean {
    const [first] = this.#waiting.values();
    if (first === undefined) return false;
    const { window, batch } = this.#settings;
    if (this.#closing || this.#drainers.size > 0 || this.room.waiting > 0 || this.#waiting.size >= batch) return true;
    const wait = first.since + window - this.#clock.now();
    if (wait > 0) this.#wakeAt(first.since + window, wait);
    return wait <= 0;
  }

  #wakeAt(time: number, wait: number): void {
    if (this.#wakesAt <= time) return;
    this.#wake?.abort();
    const wake = new AbortController();
    this.#wake = wake;
    this.#wakesAt = time;
    this.#clock.sleep(wait, wake.signal).then(
      () => {
        this.#wakesAt = Number.POSITIVE_INFINITY;
        this.#pump();
      },
      () => {},
    );
  }

  async #send(batch: readonly Slot[]): Promise<void> {
    this.#sending++;
    const sent = batch.map((slot) => {
      slot.state = "sending";
      return slot.newest!;
    });
    let failures: ReadonlyMap<number, unknown> = new Map();
    let company = false;
    try {
      await this.#attempt(sent);
    } catch (error) {
      failures = failuresOf(error, sent.length);
      company = sent.length > 1 && !StorageError.is(error, "partial");
    }
    this.#sending--;
    const resting: Slot[] = [];
    for (const [index, slot] of batch.entries()) {
      if (!failures.has(index)) this.#succeeded(slot, sent[index]!);
      else if (this.#failed(slot, sent[index]!, failures.get(index), company)) resting.push(slot);
    }
    if (resting.length > 0) void this.#rest(resting);
    this.#pump();
  }

  /** One call below. It is told to end when its time is up, and its key waits until it has: nothing overtakes it. */
  async #attempt(writes: readonly Write[]): Promise<void> {
    const late = new AbortController();
    const done = new AbortController();
    const signal = AbortSignal.any([late.signal, this.#stop.signal]);
    const expire = (): void =>
      late.abort(new StorageError("timeout", "The storage below did not answer in time.", { storage: "behind", outcome: "unknown" }));
    this.#clock.sleep(this.#settings.attemptTimeout, done.signal).then(expire, () => {});
    try {
      const operations = writes.map((write) => this.#operationOf(write));
      const [only] = operations;
      if (operations.length > 1 || only === undefined) await this.#below.batch(operations, { signal });
      else if (only.type === "delete") await this.#below.delete(only.key, { signal });
      else await this.#below.put(only.key, only.value, { ...only.options, signal });
    } finally {
      done.abort();
    }
  }

  #operationOf({ key, value, metadata, expiresAt }: Write): Operation<Bytes> {
    if (value === undefined || isExpired(expiresAt, this.#expiry)) return { type: "delete", key };
    return { type: "put", key, value, options: { metadata, expiresAt } };
  }

  #succeeded(slot: Slot, sent: Write): void {
    this.counters.written++;
    slot.failures = 0;
    slot.alone = false;
    this.#reached(slot, sent.sequence);
    if (slot.newest === sent) this.#settle(slot);
    else this.#wait(slot, this.#waiting);
  }

  /** True where it is to be tried again after a rest. */
  #failed(slot: Slot, sent: Write, error: unknown, company: boolean): boolean {
    slot.error = error;
    slot.failures++;
    this.counters.retries++;
    if (this.#stop.signal.aborted || (StorageError.is(error) && (error.retryable || error.code === "full"))) return true;
    if (slot.newest !== sent || company) {
      slot.alone ||= company;
      this.#wait(slot, this.#ready);
      return false;
    }
    slot.state = "dead";
    this.counters.dead++;
    this.room.stick(1, sizeOf(sent));
    this.#reached(slot, sent.sequence);
    try {
      this.#settings.onDeadLetter?.(letterOf(slot));
    } catch {
      // A listener must not keep other writes from going on.
    }
    return false;
  }

  async #rest(slots: readonly Slot[]): Promise<void> {
    for (const slot of slots) slot.state = "resting";
    const { minDelay, maxDelay, random } = this.#settings;
    const [{ failures, error }] = slots as readonly [Slot];
    const jitter = random() * Math.min(maxDelay, minDelay * 2 ** Math.min(failures - 1, 30));
    const delay = Math.max(jitter, (StorageError.is(error) && error.retryAfter) || 0, 1);
    const rest = new AbortController();
    this.#rests.add(rest);
    await this.#clock.sleep(delay, AbortSignal.any([rest.signal, this.#stop.signal])).catch(() => {});
    this.#rests.delete(rest);
    for (const slot of slots) this.#wait(slot, this.#ready);
    this.#pump();
  }

  #revive(slot: Slot, write: Write = slot.newest!): void {
    this.#bury(slot, write);
    this.#wait(slot, this.#ready);
  }

  #bury(slot: Slot, write: Write = slot.newest!): void {
    this.counters.dead--;
    this.room.stick(-1, sizeOf(write));
    slot.state = "idle";
    slot.failures = 0;
    slot.alone = false;
  }

  #settle(slot: Slot): void {
    slot.state = "idle";
    slot.settled = true;
    this.room.leave(sizeOf(slot.newest!));
    this.#sweep(slot);
  }

  #reached(slot: Slot, sequence: number): void {
    for (const drainer of this.#drainers) {
      const { wanted } = drainer;
      if ((wanted.get(slot) ?? Infinity) <= sequence) wanted.delete(slot);
      if (wanted.size === 0) drainer.finish();
    }
  }

  /** Removes the records that are no longer needed. */
  #sweep(slot: Slot): void {
    const isLast = slot.settled && slot.records.size === 1 && slot.landing.size === 0;
    for (const sequence of slot.records) if (sequence !== slot.newest?.sequence || isLast) this.#removals.set(sequence, slot);
    const isDone = slot.settled && slot.records.size === 0 && slot.landing.size === 0;
    if (isDone && this.#slots.get(slot.key) === slot) this.#slots.delete(slot.key);
    this.#startSweep();
  }

  #startSweep(): void {
    if (this.#removals.size === 0 || this.#stop.signal.aborted) return;
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined;
      this.#startSweep();
    });
  }

  async #sweepAll(): Promise<void> {
    await Promise.resolve(); // so that what comes in one turn goes in one call
    for (let failures = 0; this.#removals.size > 0 && !this.#stop.signal.aborted;) {
      // A record may have been asked for again while it was being removed.
      const removals = Array.from(this.#removals).filter(([sequence, slot]) => slot.records.has(sequence));
      this.#removals.clear();
      if (removals.length === 0) return;
      const failed = await this.#remove(removals.map(([sequence]) => sequence));
      for (const [index, [sequence, slot]] of removals.entries()) {
        if (failed.has(index)) this.#removals.set(sequence, slot);
        else {
          slot.records.delete(sequence);
          this.#sweep(slot);
        }
      }
      failures = failed.size === 0 ? 0 : failures + 1;
      const { minDelay, maxDelay } = this.#settings;
      if (failures > 0)
        await this.#clock.sleep(Math.max(1, Math.min(maxDelay, minDelay * 2 ** Math.min(failures, 30))), this.#stop.signal).catch(() => {});
    }
  }

  /** What is below may be durable only after a flush. */
  async #remove(sequences: readonly number[]): Promise<ReadonlyMap<number, unknown>> {
    try {
      const ranks = ["memory", "process", "power"];
      const rank = (storage: ByteStorage): number => ranks.indexOf(storage.capabilities.durability);
      if (rank(this.#below) < rank(this.#journal!.storage)) await this.#below.flush();
    } catch (error) {
      return failuresOf(error, sequences.length);
    }
    return await this.#journal!.remove(sequences);
  }
}

function letterOf({ key, newest, error }: Slot): DeadLetter {
  return { key, sequence: newest!.sequence, code: StorageError.is(error) ? error.code : "internal", error };
}
