import { expiryOf } from "@stowage/core";
import type { Tables } from "./environment.ts";
import type { Snapshot } from "./native.ts";

/** Entries that one transaction sweeps beside its changes. */
const sweptAtOnce = 100;

/** Stands first while anything expires: keys of the index begin with a positive float, whose first byte is larger. */
const mark: Uint8Array = new Uint8Array([0]);
const afterMark: Uint8Array = new Uint8Array([1]);
const nothing: Uint8Array = new Uint8Array([0]);

/**
 * The index of what expires: the time as a big-endian float, then the key. While it is empty, writes need not look at the
 * records that they replace, nor lists at those that they name.
 */
export class Expiries {
  readonly #tables: Tables;
  /** Within a transaction: whether anything expires. */
  #any = false;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Whether an entry has expired by a time and is not swept yet. */
  anyBefore(now: number, snapshot: Snapshot): boolean {
    const { expiries } = this.#tables;
    if (expiries.getBinaryFast(mark, snapshot) === undefined) return false;
    for (const _ of expiries.getKeys({ start: afterMark, end: until(now), limit: 1, ...snapshot })) return true;
    return false;
  }

  /** What follows is in a transaction. */
  begin(): void {
    this.#any = this.#tables.expiries.getBinaryFast(mark) !== undefined;
  }

  add(key: string, expiresAt: number): void {
    const { expiries } = this.#tables;
    if (!this.#any) expiries.put(mark, nothing);
    this.#any = true;
    expiries.put(indexed(key, expiresAt), nothing);
  }

  /** Before a record is replaced or removed. */
  forget(key: string): void {
    if (!this.#any) return;
    const expiresAt = this.#expiryOf(key);
    if (expiresAt !== undefined) this.#tables.expiries.remove(indexed(key, expiresAt));
  }

  /** Removes some of what has expired. Answers whether there is more. */
  sweep(now: number): boolean {
    if (!this.#any) return false;
    const { entries, expiries } = this.#tables;
    const found = Array.from(expiries.getKeys({ start: afterMark, end: until(now), limit: sweptAtOnce }) as Iterable<Uint8Array>, (key) =>
      Buffer.from(key),
    );
    for (const place of found) {
      const key = place.toString("utf8", 8);
      expiries.remove(place);
      if (this.#expiryOf(key) === place.readDoubleBE(0)) entries.remove(key);
    }
    if (found.length === sweptAtOnce) return true;
    for (const _ of expiries.getKeys({ start: afterMark, limit: 1 })) return false;
    expiries.remove(mark);
    return false;
  }

  #expiryOf(key: string): number | undefined {
    const { entries } = this.#tables;
    const view = entries.getBinaryFast(key);
    return view === undefined ? undefined : expiryOf(new Uint8Array(view.buffer, view.byteOffset, entries.lastSize));
  }
}

function indexed(key: string, expiresAt: number): Uint8Array {
  const place = Buffer.allocUnsafe(8 + Buffer.byteLength(key));
  place.writeDoubleBE(expiresAt, 0);
  place.write(key, 8);
  return place;
}

/** Behind everything that has expired by a time. */
function until(now: number): Uint8Array {
  const end = Buffer.alloc(9, 0xff);
  end.writeDoubleBE(Math.max(now, 0), 0);
  return end;
}
