import type { Database } from "./database.ts";

/** Entries that one batch sweeps beside its changes. */
const sweptAtOnce = 100;

/** Keys of the index begin with a byte that no key of an entry has, then the time as a big-endian float, then the key. */
const indexByte = 0;
const keyAt = 9;

/** A place in the index. */
export interface Expiry {
  readonly key: string;
  readonly expiresAt: number;
  readonly place: Uint8Array;
}

/** The index of what expires. This process is the only one, so it knows when the next entry does. */
export class Expiries {
  readonly #database: Database;
  /** Nothing expires before. */
  #next = Number.POSITIVE_INFINITY;

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<void> {
    this.#next = (await this.#first(1))[0]?.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  /** Whether anything expires at all. */
  get any(): boolean {
    return this.#next !== Number.POSITIVE_INFINITY;
  }

  /** Whether an entry has expired by a time and is not swept yet. */
  anyBefore(now: number): boolean {
    return this.#next <= now;
  }

  added(expiresAt: number): void {
    this.#next = Math.min(this.#next, expiresAt);
  }

  /** Some of what has expired, and whether there is more. */
  async due(now: number): Promise<{ readonly due: readonly Expiry[]; readonly more: boolean }> {
    const found = await this.#first(sweptAtOnce + 1);
    const due = found.filter(({ expiresAt }) => expiresAt <= now).slice(0, sweptAtOnce);
    return { due, more: due.length === sweptAtOnce };
  }

  /** After what was due is gone. */
  async swept(): Promise<void> {
    await this.load();
  }

  async #first(most: number): Promise<readonly Expiry[]> {
    const range = { gte: new Uint8Array([indexByte]), lt: new Uint8Array([indexByte + 1]), limit: most, keyEncoding: "view" };
    const places = await this.#database.keys<Uint8Array>(range).all();
    return places.map(expiryAt);
  }
}

export function placeOf(key: string, expiresAt: number): Uint8Array {
  const place = Buffer.alloc(keyAt + Buffer.byteLength(key), indexByte);
  place.writeDoubleBE(expiresAt, 1);
  place.write(key, keyAt);
  return place;
}

function expiryAt(place: Uint8Array): Expiry {
  const bytes = Buffer.from(place.buffer, place.byteOffset, place.byteLength);
  return { key: bytes.toString("utf8", keyAt), expiresAt: bytes.readDoubleBE(1), place };
}
