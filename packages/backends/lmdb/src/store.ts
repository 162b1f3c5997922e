import { statfsSync } from "node:fs";
import type { Clock, Committed, EntryInfo, KeyRange, RecordChange, RecordChanges, RecordOutcome, RecordStore, Turns } from "@stowage/core";
import { Commits, everyMade, expiryOf, firstRefused, infoOfRecord, isExpired, keptRecord, maxKeySize, StorageError } from "@stowage/core";
import type { Tables } from "./environment.ts";
import { diskFull, isUnsure, storageName } from "./errors.ts";
import { Expiries } from "./expiries.ts";
import type { ReadTransaction, RootDatabase, Snapshot } from "./native.ts";
import { letGo, transact } from "./native.ts";

/** Milliseconds between two looks for slots of readers that died. */
const readerCheckInterval = 60_000;

/** Bytes of the largest record that lmdb-js reads. */
const largestRecord: number = 2 ** 31 - 1;

/** Bytes that a transaction writes beside its records, generously. */
const spareRoom: number = 1024 * 1024;

/** One table of an open database. */
export class LmdbStore implements RecordStore {
  readonly commits: Commits<RecordChanges, RecordOutcome>;
  readonly #root: RootDatabase;
  readonly #path: string;
  readonly #tables: Tables;
  readonly #expiries: Expiries;
  readonly #clock: Clock;
  readonly #transaction: ReadTransaction;
  readonly #snapshot: Snapshot;
  #nextReaderCheck = 0;

  constructor(root: RootDatabase, path: string, tables: Tables, turns: Turns, clock: Clock) {
    this.#root = root;
    this.#path = path;
    this.#tables = tables;
    this.#expiries = new Expiries(tables);
    this.#clock = clock;
    this.#transaction = root.useReadTransaction();
    this.#snapshot = { transaction: this.#transaction };
    letGo(this.#transaction);
    this.commits = new Commits({ run: (sets, now) => this.#commit(sets, now), soon: (run) => process.nextTick(run), turns, clock });
  }

  /** Each read sees what is committed when it begins, by whichever process, and holds on to nothing afterwards. */
  record(key: string): Uint8Array | undefined {
    const { entries } = this.#tables;
    const view = entries.getBinaryFast(key, this.#snapshot);
    if (view === undefined) {
      letGo(this.#transaction);
      return undefined;
    }
    const record = new Uint8Array(view.buffer, view.byteOffset, entries.lastSize);
    const kept = view.isGlobal === true ? record : record.slice(); // else it is the file itself, which may change once let go
    letGo(this.#transaction);
    return kept;
  }

  readonly range = ({ from, end }: KeyRange, most: number, info: boolean): readonly EntryInfo[] => {
    const start = from === "" ? "\0" : cut(from);
    const range = { start, ...(end !== undefined && { end: cut(end) }), transaction: this.#transaction };
    const { entries } = this.#tables;
    const now = this.#clock.now();
    try {
      if (!info && !this.#expiries.anyBefore(now, this.#snapshot)) {
        const found: EntryInfo[] = [];
        for (const key of entries.getKeys({ ...range, limit: most }) as Iterable<string>) found.push({ key });
        return found;
      }
      return this.#read(range, most, info);
    } finally {
      letGo(this.#transaction);
    }
  };

  async close(): Promise<void> {
    this.#transaction.done();
    await this.#root.close();
  }

  #read(range: { start: string; end?: string } & Snapshot, most: number, info: boolean): readonly EntryInfo[] {
    const found: EntryInfo[] = [];
    for (const { key, value } of this.#tables.entries.getRange(range)) {
      if (isExpired(expiryOf(value), this.#clock)) continue;
      found.push(info ? infoOfRecord(value, storageName, key) : { key });
      if (found.length === most) break;
    }
    return found;
  }

  /** Makes all sets in one transaction; where that fails, each gets one of its own. */
  #commit(sets: readonly RecordChanges[], now: number): Committed<RecordOutcome> {
    try {
      return this.#transact(sets, now);
    } catch (failed) {
      const error = this.#orFull(failed, sets);
      if (sets.length <= 1 || isUnsure(error)) return { outcomes: sets.map(() => error as Error), more: false };
    }
    return { outcomes: sets.map((set) => this.#commit([set], now).outcomes[0]!), more: true };
  }

  /** LMDB calls it a failure of the disk when pages fit on it in part; what has room for all of them is one. */
  #orFull(error: unknown, sets: readonly RecordChanges[]): unknown {
    if (!isUnsure(error)) return error;
    const { bavail, bsize } = statfsSync(this.#path);
    const needed = sets.flat().reduce((sum, { record }) => sum + (record?.byteLength ?? 0), 0);
    return bavail * bsize > 2 * needed + spareRoom ? error : diskFull(error);
  }

  #transact(sets: readonly RecordChanges[], now: number): Committed<RecordOutcome> {
    let outcomes: number[] = [];
    let more = false;
    const changes = sets.length > 0 || this.#expiries.anyBefore(now, this.#snapshot);
    letGo(this.#transaction);
    if (!changes) return { outcomes, more };
    transact(this.#root, () => {
      outcomes = [];
      this.#expiries.begin();
      for (const set of sets) {
        const refused = firstRefused(set, now, this.#version);
        outcomes.push(refused);
        if (refused === everyMade) for (const change of set) this.#make(change, now);
      }
      more = this.#expiries.sweep(now);
    });
    this.#checkReaders(now);
    return { outcomes, more };
  }

  #make(change: RecordChange, now: number): void {
    const { key, expiresAt } = change;
    const record = keptRecord(change, now);
    if (record !== undefined && record.byteLength > largestRecord) throw tooLarge(key);
    this.#expiries.forget(key);
    if (record === undefined) this.#tables.entries.remove(key);
    else {
      this.#tables.entries.put(key, record);
      if (expiresAt !== undefined) this.#expiries.add(key, expiresAt);
    }
  }

  readonly #version = (key: string): EntryInfo | undefined => {
    const { entries } = this.#tables;
    const view = entries.getBinaryFast(key);
    return view === undefined ? undefined : infoOfRecord(new Uint8Array(view.buffer, view.byteOffset, entries.lastSize), storageName, key);
  };

  /** A process that died while it read keeps pages from being used again, until somebody looks. */
  #checkReaders(now: number): void {
    if (now < this.#nextReaderCheck) return;
    this.#nextReaderCheck = now + readerCheckInterval;
    this.#root.readerCheck();
  }
}

/** LMDB takes no text that is much longer than a key. What is cut off of one sorts as it does among keys, which are shorter. */
function cut(text: string): string {
  return text.length * 3 <= maxKeySize ? text : text.slice(0, encoder.encodeInto(text, longerThanKeys).read);
}

const encoder = new TextEncoder();
/** Room for at least one byte more than keys have, wherever a letter of up to four bytes ends. */
const longerThanKeys: Uint8Array = new Uint8Array(maxKeySize + 4);

function tooLarge(key: string): StorageError {
  return new StorageError("too-large", "LMDB takes values of less than 2 GiB; keep larger ones in files.", { storage: storageName, key });
}
