import type { ByteStorage, Clock } from "@stowage/core";
import { copyBytes, StorageError, untilAborted } from "@stowage/core";
import type { DeadLetter } from "./drain.ts";
import { Drain, letterOf } from "./drain.ts";
import type { Held } from "./holds.ts";
import { Holds } from "./holds.ts";
import { Journal } from "./journal.ts";
import type { Settings } from "./options.ts";
import { damaged, nameOf, packRecord } from "./record.ts";
import { Removal } from "./removal.ts";
import { Room } from "./room.ts";
import type { Slot } from "./slots.ts";
import { Slots } from "./slots.ts";
import type { Draft, Write } from "./write.ts";

/** Bytes up to which a value that is in the journal stays in memory too. */
export const keptSize: number = 64 * 1024;

/** Writes of a batch that go into the journal in one call at the most. */
const groupSize = 1_000;

/** A write with its value. */
export interface Item {
  readonly draft: Draft;
  readonly value: Uint8Array;
}

/** Writes from the moment they are accepted until they are below and nothing of them is left in the journal. */
export class Queue {
  readonly slots: Slots = new Slots();
  readonly room: Room;
  readonly journal: Journal | undefined;
  readonly stats: { coalesced: number; listenerErrors: number } = { coalesced: 0, listenerErrors: 0 };
  readonly #settings: Settings;
  readonly #holds = new Holds(this.slots);
  readonly #stop = new AbortController();
  readonly #drain: Drain;
  readonly #removal: Removal | undefined;
  #last = 0;
  #lost: unknown;

  constructor(below: ByteStorage, settings: Settings, clock: Clock) {
    this.#settings = settings;
    this.room = new Room(settings.maxPending, settings.maxPendingSize);
    this.journal = settings.journal && new Journal(settings.journal);
    const shared = { below, settings, stop: this.#stop.signal, isHeld: (key: string) => this.#holds.has(key) };
    this.#drain = new Drain({
      ...shared,
      journal: this.journal,
      clock,
      checkOwner: () => this.#checkOwner(),
      onReached: (slot) => this.#reached(slot),
      onMissing: (write) => this.miss(write),
      onDead: (slot) => this.#died(slot),
    });
    this.#removal =
      this.journal &&
      new Removal({
        ...shared,
        journal: this.journal,
        onRemoved: (slot, write) => this.#removed(slot, write),
        onUndone: (slot) => this.#drain.add(slot),
        onLost: (error) => this.#lose(error),
      });
  }

  get drained(): { readonly written: number; readonly retries: number } {
    return this.#drain.stats;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Throws where another process has taken the journal over. */
  check(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Takes up what an earlier process left in the journal. */
  async open(): Promise<void> {
    const found = await this.journal!.open(this.#stop.signal);
    this.#stop.signal.throwIfAborted();
    for (const write of found) {
      this.#last = write.sequence;
      this.room.take(write.size);
      this.#accept(this.slots.make(write.key), write);
    }
    this.#drain.endWindow();
    this.#removal!.start();
  }

  /** The write of a key that reads must see. */
  pending(key: string): Write | undefined {
    return this.slots.get(key)?.newest;
  }

  /** The record of a write is not in the journal. Throws where it should be. */
  miss(write: Write): void {
    const slot = this.slots.get(write.key);
    if (slot?.newest !== write) return;
    if (write.isLeaving !== true) throw damaged(nameOf(write.sequence), "it is not there any more");
    this.#removed(slot, write);
  }

  /** Accepts a write: it waits for room and is in the journal then. The journal goes on with what its caller gave up. */
  accept(item: Item, signal: AbortSignal | undefined): Promise<void> {
    return this.#admit(item, signal, () => this.#append(item));
  }

  /** Accepts a write whose value is streamed into the journal. */
  acceptStream(
    draft: Draft,
    chunks: AsyncIterable<Uint8Array>,
    options: { readonly size?: number | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<number> {
    const { size, signal } = options;
    return this.#admit({ draft, value: { byteLength: size ?? 0 } }, signal, async () => {
      const sequence = ++this.#last;
      const slot = this.#arriving(draft.key);
      let grown = 0;
      const grow = (more: number): void => {
        grown += more;
        if (size === undefined) this.room.grow(more);
      };
      try {
        const write = await this.journal!.appendStream(draft, sequence, chunks, { size, grow });
        this.#arrived(slot, write);
        return write.size;
      } catch (error) {
        const place = { sequence, size: size ?? grown, value: undefined, start: 0, before: 0, checksum: 0 };
        this.#refused(slot, { ...draft, ...place }, error);
        throw error;
      }
    });
  }

  /** Accepts writes in their order, as many at once as there is room for. Gives what failed by position. */
  async acceptAll(items: readonly Item[], signal: AbortSignal | undefined): Promise<ReadonlyMap<number, unknown>> {
    const failures = new Map<number, unknown>();
    for (let at = 0; at < items.length;) {
      const first = at;
      const admitted = this.#admit(items[at]!, signal, () => {
        const group = [items[at++]!];
        while (group.length < groupSize && at < items.length && this.#admitAtOnce(items[at]!)) group.push(items[at++]!);
        return this.#appendGroup(group);
      });
      const failed = await admitted.catch((error: unknown) => {
        if (!StorageError.is(error, "full")) throw error;
        at++; // dead letters leave no room for this one
        return new Map([[0, error]]);
      });
      for (const [index, error] of failed) failures.set(first + index, error);
    }
    return failures;
  }

  /** Does something below that takes the place of all that is pending under a prefix, or of one key. */
  exclusively<T>(where: Held, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#holding(where, signal, async (slots) => {
      const result = await work();
      await this.#removeAll(slots(), signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw halfDone(error);
      });
      return result;
    });
  }

  #holding<T>(where: Held, signal: AbortSignal | undefined, work: (slots: () => readonly Slot[]) => Promise<T>): Promise<T> {
    return this.#holds.during(where, signal, work).finally(() => {
      for (const slot of this.#holds.covered(where)) {
        this.#removal?.add(slot);
        this.#drain.add(slot);
      }
      this.#removal?.start();
    });
  }

  /** Removes what is pending of keys that are held. */
  async #removeAll(slots: readonly Slot[], signal?: AbortSignal): Promise<void> {
    if (this.#removal !== undefined) return await this.#removal.removeAll(slots, signal);
    for (const slot of slots) if (slot.newest !== undefined) this.#removed(slot, slot.newest);
  }

  /** Resolves when all that is accepted now is below, or dead. */
  async flush(signal?: AbortSignal): Promise<void> {
    const wanted: [Slot, number][] = [];
    for (const slot of this.slots.all()) {
      if (slot.newest !== undefined && !slot.isBelow && slot.dead === undefined) wanted.push([slot, slot.newest.sequence]);
    }
    const rest = this.#drain.keepHurrying();
    try {
      for (const [slot, sequence] of wanted) {
        while (slot.newest !== undefined && slot.reached < sequence && slot.dead === undefined)
          await untilAborted(this.#change(slot), signal);
      }
    } finally {
      rest();
    }
  }

  deadLetters(): readonly DeadLetter[] {
    return Array.from(this.slots.all()).flatMap((slot) => letterOf(slot) ?? []);
  }

  retryDeadLetters(): void {
    for (const slot of this.slots.all()) {
      if (slot.dead === undefined) continue;
      this.#revive(slot);
      this.#drain.add(slot);
    }
    this.#drain.hurry();
  }

  /** Removes a dead letter. False where there is none, or a later write of the key has taken its place meanwhile. */
  async discard(key: string): Promise<boolean> {
    const letter = this.slots.get(key);
    if (letter?.dead === undefined) return false;
    const { dead } = letter;
    return await this.#holding({ prefix: key, exact: true }, undefined, async () => {
      if (letter.dead !== dead) return false;
      await this.#removeAll([letter]);
      return true;
    });
  }

  /** Gives what is pending time to get below, then ends all. Gives the number of writes that did not. */
  async close(): Promise<number> {
    const { clock, closeTimeout } = this.#settings;
    const enough = new AbortController();
    const late = clock.sleep(closeTimeout, AbortSignal.any([enough.signal, this.#stop.signal])).catch(() => {});
    this.#drain.keepHurrying();
    this.#removal?.start();
    const emptied = this.#empty().then(() => this.journal?.leave());
    await Promise.race([emptied, late]);
    enough.abort();
    this.end();
    this.check();
    let count = 0;
    for (const slot of this.slots.all()) if (!slot.isBelow) count++;
    return count;
  }

  /** Ends all that runs and waits, an open too. */
  end(reason: unknown = new StorageError("closed", "The storage was closed.", { storage: "behind" })): void {
    this.#stop.abort(reason);
    this.room.refuseAll(reason);
    for (const slot of this.slots.all()) slot.changed();
  }

  async #empty(): Promise<void> {
    for (const slot of Array.from(this.slots.all())) {
      while (!slot.isGone && (slot.dead === undefined || slot.arriving > 0 || slot.hasOlder)) await slot.change;
    }
  }

  /** The next change of a slot, or the end of all. */
  async #change(slot: Slot): Promise<void> {
    await slot.change;
    this.check();
    this.#stop.signal.throwIfAborted();
  }

  /** Rejects, and ends all, where another process has taken the journal over. */
  async #checkOwner(): Promise<void> {
    await this.journal?.checkOwner(this.#settings.clock.now()).catch((error: unknown) => {
      if (StorageError.is(error, "conflict")) this.#lose(error);
      throw error;
    });
  }

  /** Waits until a key is free and there is room, and starts then in the same turn. */
  async #admit<T>(
    { draft, value }: { readonly draft: Draft; readonly value: { readonly byteLength: number } },
    signal: AbortSignal | undefined,
    start: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      await this.#holds.free(draft.key, signal);
      const entering = this.room.enter(value.byteLength, signal);
      if (this.room.isHalfFull) this.#makeRoom();
      if (entering !== undefined) await entering;
      if (!this.#holds.has(draft.key)) break;
      this.room.leave(value.byteLength);
    }
    return await untilAborted(start(), signal);
  }

  #admitAtOnce({ draft, value }: Item): boolean {
    return !this.#holds.has(draft.key) && this.room.tryEnter(value.byteLength);
  }

  #makeRoom(): void {
    this.#drain.endWindow();
    this.#removal?.start();
  }

  async #append(item: Item): Promise<void> {
    const failed = await this.#appendGroup([item]);
    if (failed.has(0)) throw failed.get(0);
  }

  async #appendGroup(items: readonly Item[]): Promise<ReadonlyMap<number, unknown>> {
    const records = new Map<number, Uint8Array<ArrayBuffer>>();
    const arrivals = items.map(({ draft, value }) => {
      const sequence = ++this.#last;
      const slot = this.#arriving(draft.key);
      if (this.journal === undefined) {
        const size = value.byteLength;
        return { slot, write: { ...draft, sequence, size, value: copyBytes(value), start: 0, before: 0, checksum: 0 } };
      }
      const { record, write } = packRecord(draft, sequence, value);
      records.set(sequence, record);
      if (write.size > keptSize) write.value = undefined;
      return { slot, write };
    });
    const failed = (await this.journal?.append(records)) ?? new Map<number, unknown>();
    for (const [index, { slot, write }] of arrivals.entries()) {
      if (failed.has(index)) this.#refused(slot, write, failed.get(index));
      else this.#arrived(slot, write);
    }
    return failed;
  }

  #arriving(key: string): Slot {
    const slot = this.slots.make(key);
    slot.arriving++;
    return slot;
  }

  #arrived(slot: Slot, write: Write): void {
    slot.arriving--;
    this.#accept(slot, write);
    if (slot.newest !== write) this.#removal?.start(); // nothing else would: a newer one may be below already
    slot.changed();
    if (this.room.isHalfFull) this.#makeRoom();
  }

  /** The write was not accepted. Where its record may be there all the same, it goes before any newer one of the key does. */
  #refused(slot: Slot, write: Write, error: unknown): void {
    slot.arriving--;
    this.room.leave(write.size);
    if (!(StorageError.is(error) && error.outcome === "none")) {
      write.value = undefined;
      write.isDoubtful = true;
      (slot.older ??= new Set()).add(write);
    }
    this.#removal?.add(slot);
    this.#removal?.start();
    this.slots.sweep(slot);
    slot.changed();
  }

  #accept(slot: Slot, write: Write): void {
    const { newest } = slot;
    if (newest !== undefined && newest.sequence > write.sequence) {
      this.#supersede(slot, write);
    } else {
      if (newest !== undefined) this.#supersede(slot, newest);
      slot.newest = write;
      slot.failures = 0;
      this.#drain.add(slot);
    }
    this.#removal?.add(slot);
  }

  /** A write need not go below any more. */
  #supersede(slot: Slot, write: Write): void {
    if (write.sequence > slot.reached) this.stats.coalesced++;
    if (write === slot.newest) this.#revive(slot);
    if (this.journal === undefined) return this.room.leave(write.size);
    write.value = undefined;
    (slot.older ??= new Set()).add(write);
  }

  #reached(slot: Slot): void {
    if (this.#removal === undefined) {
      if (slot.newest !== undefined && slot.isBelow) this.#removed(slot, slot.newest);
      return;
    }
    this.#removal.add(slot);
    this.#removal.start();
  }

  #removed(slot: Slot, write: Write): void {
    if (slot.newest === write) {
      this.#revive(slot);
      slot.newest = undefined;
      this.room.leave(write.size);
    } else if (slot.older?.delete(write) === true && write.isDoubtful !== true) this.room.leave(write.size);
    this.slots.sweep(slot);
    slot.changed();
  }

  #died(slot: Slot): void {
    this.room.stick(1);
    void this.#tell(letterOf(slot)!);
  }

  /** What the listener throws or rejects with is counted and goes nowhere else. */
  async #tell(letter: DeadLetter): Promise<void> {
    try {
      const answer: unknown = this.#settings.onDeadLetter?.(letter);
      await answer;
    } catch {
      this.stats.listenerErrors++;
    }
  }

  #revive(slot: Slot): void {
    if (slot.dead === undefined) return;
    slot.dead = undefined;
    slot.failures = 0;
    this.room.stick(-1);
  }

  #lose(error: unknown): void {
    this.#lost = error;
    this.end(error);
  }
}

/** What is below was changed, and may be lost there still, or the journal holds older writes. */
function halfDone(error: unknown): StorageError {
  const { code, retryable } = StorageError.is(error) ? error : { code: "internal" as const, retryable: false };
  const message = "The storage below was changed, but it could not be flushed, or older writes not be removed from the journal.";
  return new StorageError(code, message, { storage: "behind", retryable, outcome: "unknown", cause: error });
}
