import type { DatabaseOptions, RangeOptions, RootDatabaseOptionsWithPath } from "lmdb";
import * as lmdb from "lmdb";

/** What is used of lmdb-js. Its own types leave out the half of it. */
export interface Database {
  /** Bytes of the value that was read last. */
  readonly lastSize: number;
  /** A view whose `length`, not its `byteLength`, is that of the value; it is of use until the next read. */
  getBinaryFast(key: string | Uint8Array, options?: Snapshot): ValueView | undefined;
  getKeys(options: RangeOptions & Partial<Snapshot>): Iterable<string | Uint8Array>;
  getRange(options: RangeOptions & Partial<Snapshot>): Iterable<{ readonly key: string; readonly value: Uint8Array }>;
  put(key: string | Uint8Array, value: Uint8Array): unknown;
  remove(key: string | Uint8Array): unknown;
}

export interface RootDatabase extends Database {
  openDB(name: string, options: DatabaseOptions): Database;
  /** Commits when `work` returns, undoes all of it when it throws. A promise that it returned would be waited for, with the lock. */
  transactionSync(work: () => void): void;
  useReadTransaction(): ReadTransaction;
  readerCheck(): number;
  close(): Promise<void>;
}

interface ValueView extends Uint8Array {
  /** Whether it is a copy, in memory that every read shares; otherwise it is the file itself. */
  readonly isGlobal?: boolean;
}

export interface ReadTransaction {
  readonly address: number;
  done(): void;
}

export interface Snapshot {
  readonly transaction: ReadTransaction;
}

const { nativeAddon } = lmdb as unknown as { readonly nativeAddon: { resetTxn(address: number): void } };

/** Opens an environment. */
export function openEnvironment(options: RootDatabaseOptionsWithPath): RootDatabase {
  return lmdb.open(options) as unknown as RootDatabase;
}

/** Lets go of what a transaction saw. It is renewed by the next read. */
export function letGo({ address }: ReadTransaction): void {
  nativeAddon.resetTxn(address);
}

/** LMDB's code for a transaction that it undid, and how often one is tried. */
const undone = -30782;
const mostTries = 3;

/**
 * Runs `work` in a transaction. Now and then LMDB takes its list of free pages for damaged as it saves it, because it looks
 * at a size that it never read, and undoes the transaction; the next one reads the list anew, so the work is done again.
 * Source: mdb_freelist_save in mdb.c of lmdb-js, "reserved freelist had a data entry with zero-size"
 */
export function transact(root: RootDatabase, work: () => void): void {
  for (let tries = 1; ; tries++) {
    try {
      root.transactionSync(work);
      return;
    } catch (error) {
      if (tries === mostTries || !(error instanceof Error && "code" in error && error.code === undone)) throw error;
    }
  }
}

/** Keys as UTF-8. LMDB takes a `RangeError` for a sign that its buffer is too small, and makes another. */
export const textKeys = {
  writeKey(key: string, target: Buffer, start: number): number {
    const room = target.byteLength - start;
    if (key.length * 3 > room && Buffer.byteLength(key) > room) throw new RangeError("The key does not fit.");
    return start + target.write(key, start);
  },
  readKey: (source: Buffer, start: number, end: number): string => source.toString("utf8", start, end),
};

/** Values as views, which are read before the next one is. */
export const viewedValues = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: ({ buffer, byteOffset, length }: Uint8Array, size: number = length): Uint8Array => new Uint8Array(buffer, byteOffset, size),
};
