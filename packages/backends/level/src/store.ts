import type {
  Clock,
  Committed,
  EntryInfo,
  KeyRange,
  KnownVersion,
  RecordChange,
  RecordChanges,
  RecordOutcome,
  RecordStore,
  Turns,
} from "@stowage/core";
import { Commits, everyMade, expiryOf, firstRefused, infoOfRecord, isExpired, keptRecord } from "@stowage/core";
import type { ClassicLevel } from "classic-level";
import type { Database } from "./database.ts";
import { isUnsure, storageName } from "./errors.ts";
import { Expiries, placeOf } from "./expiries.ts";
import { checkRoom } from "./room.ts";

type ChainedBatch = ReturnType<ClassicLevel<string, Uint8Array>["batch"]> extends infer B ? Extract<B, { write: unknown }> : never;

/** The first key of an entry: what is before it is the index of expiries. */
const firstKey = "\u0001";

const inBytes = { keyEncoding: "view" } as const;
const nothing: Uint8Array = new Uint8Array(0);

/** Bytes of keys that one read gives at the most: more than a page of the longest ones, so that each page is one read. */
const mostKeyBytes: number = 2 * 1024 * 1024;

/** Rows of one read of entries whose values have to be looked at. */
const mostRecordsAtOnce = 100;

/** An open database. Nobody else writes to it, so conditions are decided here, between one commit and the next. */
export class LevelStore implements RecordStore {
  readonly commits: Commits<RecordChanges, RecordOutcome>;
  readonly #database: Database;
  readonly #sync: boolean;
  readonly #clock: Clock;
  readonly #expiries: Expiries;
  readonly #giveBack: () => void;
  /** A write failed half-way: the log may end in the middle of a record. */
  #torn = false;

  constructor(database: Database, giveBack: () => void, sync: boolean, turns: Turns, clock: Clock) {
    this.#database = database;
    this.#giveBack = giveBack;
    this.#sync = sync;
    this.#clock = clock;
    this.#expiries = new Expiries(database);
    this.commits = new Commits({ run: (sets, now) => this.#commit(sets, now), soon: (run) => process.nextTick(run), turns, clock });
  }

  async load(): Promise<void> {
    await this.#expiries.load();
  }

  record(key: string): Uint8Array | undefined {
    return this.#database.getSync(key);
  }

  readonly range = ({ from, end }: KeyRange, most: number, info: boolean): Promise<readonly EntryInfo[]> => {
    const range = { gte: from < firstKey ? firstKey : from, ...(end !== undefined && { lt: end }) };
    return info || this.#expiries.anyBefore(this.#clock.now()) ? this.#read(range, most, info) : this.#keys(range, most);
  };

  async close(): Promise<void> {
    try {
      await this.#database.close();
    } finally {
      this.#giveBack();
    }
  }

  async #keys(range: { gte: string; lt?: string }, most: number): Promise<readonly EntryInfo[]> {
    const keys = this.#database.keys({ ...range, limit: most, highWaterMarkBytes: mostKeyBytes });
    try {
      const found: EntryInfo[] = [];
      while (found.length < most) {
        const batch = await keys.nextv(most - found.length);
        if (batch.length === 0) break;
        for (const key of batch) found.push({ key });
      }
      return found;
    } finally {
      await keys.close();
    }
  }

  async #read(range: { gte: string; lt?: string }, most: number, info: boolean): Promise<readonly EntryInfo[]> {
    const rows = this.#database.iterator(range);
    try {
      const found: EntryInfo[] = [];
      while (found.length < most) {
        const batch = await rows.nextv(Math.min(most - found.length, mostRecordsAtOnce));
        if (batch.length === 0) break;
        for (const [key, record] of batch) {
          if (isExpired(expiryOf(record), this.#clock)) continue;
          found.push(info ? infoOfRecord(record, storageName, key) : { key });
        }
      }
      return found;
    } finally {
      await rows.close();
    }
  }

  /** Makes all sets in one batch; where that fails, each gets one of its own. */
  async #commit(sets: readonly RecordChanges[], now: number): Promise<Committed<RecordOutcome>> {
    try {
      return await this.#write(sets, now);
    } catch (error) {
      if (sets.length <= 1 || isUnsure(error)) return { outcomes: sets.map(() => error as Error), more: false };
    }
    const outcomes: RecordOutcome[] = [];
    for (const set of sets) outcomes.push((await this.#commit([set], now)).outcomes[0]!);
    return { outcomes, more: true };
  }

  async #write(sets: readonly RecordChanges[], now: number): Promise<Committed<RecordOutcome>> {
    if (this.#torn) await this.#openAnew();
    const swept = this.#expiries.anyBefore(now) ? await this.#expiries.due(now) : undefined;
    if (sets.length === 0 && swept === undefined) return { outcomes: [], more: false };
    if (swept === undefined && sets.length === 1 && !this.#expiries.any && isPlainPut(sets[0]!)) {
      await this.#writing(this.#database.put(sets[0]![0]!.key, sets[0]![0]!.record!, { sync: this.#sync }));
      return { outcomes: [everyMade], more: false };
    }
    const batch = this.#database.batch();
    for (const { key, expiresAt, place } of swept?.due ?? []) {
      batch.del(place, inBytes);
      if (this.#expiryOf(key) === expiresAt) batch.del(key);
    }
    let outcomes: number[];
    try {
      outcomes = this.#decide(sets, now, batch);
    } catch (error) {
      await batch.close();
      throw error;
    }
    if (batch.length === 0) await batch.close();
    else await this.#writing(batch.write({ sync: this.#sync }));
    for (const set of sets) for (const { expiresAt } of set) if (expiresAt !== undefined) this.#expiries.added(expiresAt);
    if (swept !== undefined) await this.#expiries.swept();
    return { outcomes, more: swept?.more ?? false };
  }

  async #writing(written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (error) {
      this.#torn = true;
      throw error;
    }
  }

  /** Puts into the batch what may be made. Each set is decided by what is there after those before it. */
  #decide(sets: readonly RecordChanges[], now: number, batch: ChainedBatch): number[] {
    if (!this.#expiries.any && sets.every(isPlainPut)) {
      for (const set of sets) batch.put(set[0]!.key, set[0]!.record!);
      return sets.map(() => everyMade);
    }
    const made = new Map<string, KnownVersion | undefined>();
    const version = (key: string): KnownVersion | undefined => (made.has(key) ? made.get(key) : this.#version(key));
    const expiry = (key: string): number | undefined => (made.has(key) ? made.get(key)?.expiresAt : this.#expiryOf(key));
    let expiring = this.#expiries.any;
    return sets.map((set) => {
      const refused = firstRefused(set, now, version);
      if (refused !== everyMade) return refused;
      for (const change of set) {
        if (expiring) forget(change.key, expiry(change.key), batch);
        const kept = make(change, now, batch);
        expiring ||= kept?.expiresAt !== undefined;
        made.set(change.key, kept);
      }
      return everyMade;
    });
  }

  #version(key: string): KnownVersion | undefined {
    const record = this.#database.getSync(key);
    return record === undefined ? undefined : infoOfRecord(record, storageName, key);
  }

  #expiryOf(key: string): number | undefined {
    const record = this.#database.getSync(key);
    return record === undefined ? undefined : expiryOf(record);
  }

  /**
   * What was torn off is the end of the log as long as nothing is written behind it: an open leaves it out, and begins
   * another. It moves the log into a table first, so there must be room; until then reads go on.
   */
  async #openAnew(): Promise<void> {
    await checkRoom(this.#database.location);
    await this.#database.close();
    await this.#database.open();
    await this.#expiries.load(); // of what was written although that failed
    this.#torn = false;
  }
}

/** Whether a set is one put that depends on nothing and never expires, as most are. */
function isPlainPut(set: RecordChanges): boolean {
  const [change] = set;
  if (set.length !== 1 || change?.record === undefined) return false;
  return change.expiresAt === undefined && change.ifMatch === undefined && change.ifNoneMatch === undefined;
}

function forget(key: string, expiresAt: number | undefined, batch: ChainedBatch): void {
  if (expiresAt !== undefined) batch.del(placeOf(key, expiresAt), inBytes);
}

function make(change: RecordChange, now: number, batch: ChainedBatch): KnownVersion | undefined {
  const record = keptRecord(change, now);
  if (record === undefined) {
    batch.del(change.key);
    return undefined;
  }
  batch.put(change.key, record);
  if (change.expiresAt !== undefined) batch.put(placeOf(change.key, change.expiresAt), nothing, inBytes);
  return change;
}
