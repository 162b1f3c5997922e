import type { Bytes, Clock, Entry, EntryInfo, ReadOptions, Turns } from "@stowage/core";
import { isExpired, otherVersion, resolveRange, streamOf } from "@stowage/core";
import type { Bodies, Body } from "./bodies.ts";
import { storageName, translate } from "./errors.ts";
import type { EntryRow, Rows } from "./rows.ts";
import { infoOf } from "./rows.ts";

/** Reads entries: those whose value lies in its row at once, the others chunk by chunk. */
export class Reader {
  readonly #rows: Rows;
  readonly #bodies: Bodies;
  readonly #turns: Turns;
  readonly #clock: Clock;

  constructor(rows: Rows, bodies: Bodies, turns: Turns, clock: Clock) {
    this.#rows = rows;
    this.#bodies = bodies;
    this.#turns = turns;
    this.#clock = clock;
  }

  value(key: string): Bytes | undefined | Promise<Bytes | undefined> {
    const row = this.#rows.value(key);
    if (row === undefined || this.#isExpired(row[1])) return undefined;
    return row[0] ?? this.#large(key).then((entry) => entry?.value);
  }

  entry(key: string): Entry<Bytes> | undefined | Promise<Entry<Bytes> | undefined> {
    const row = this.#rows.entry(key);
    if (row === undefined || this.#isExpired(row[3])) return undefined;
    const value = row[6];
    return value === null ? this.#large(key) : { ...infoOfEntry(key, row), value };
  }

  async entries(keys: readonly string[], signal: AbortSignal | undefined): Promise<(Entry<Bytes> | undefined)[]> {
    const entries: (Entry<Bytes> | undefined)[] = [];
    for (const key of keys) {
      if (!this.#turns.hasTime) await this.#turns.next();
      signal?.throwIfAborted();
      const found = this.entry(key);
      entries.push(found instanceof Promise ? await found : found);
    }
    return entries;
  }

  info(key: string): EntryInfo | undefined {
    const row = this.#rows.info(key);
    return row === undefined || this.#isExpired(row[3]) ? undefined : infoOf(key, row);
  }

  stream(key: string, { start, end, ifMatch, signal }: ReadOptions): Entry<ReadableStream<Bytes>> | undefined {
    const row = this.#rows.entry(key);
    const value = row?.[6] ?? undefined;
    const body = row !== undefined && value === undefined ? this.#bodies.open(key) : undefined;
    const found = body?.row ?? row;
    const missing = found === undefined || this.#isExpired(found[3]);
    if (missing || (ifMatch !== undefined && found[1] !== ifMatch) || (value === undefined && body === undefined)) {
      body?.close();
      if (ifMatch !== undefined) throw otherVersion("read", storageName, key);
      return undefined;
    }
    const range = resolveRange(found[0], start, end);
    const info = infoOfEntry(key, found);
    if (body === undefined) return { ...info, value: streamOf(value!.slice(range.start, range.end), signal) };
    const fail = (error: unknown): unknown => translate(error, "read", key);
    return { ...info, value: this.#bodies.stream(body, range.start, range.end, signal, fail) };
  }

  /** An entry whose value lies in chunks. */
  async #large(key: string): Promise<Entry<Bytes> | undefined> {
    const body: Body | undefined = this.#bodies.open(key);
    if (body === undefined) return undefined;
    if (!this.#isExpired(body.row[3])) return { ...infoOfEntry(key, body.row), value: await this.#bodies.whole(body) };
    body.close();
    return undefined;
  }

  #isExpired(expiresAt: number | null): boolean {
    return expiresAt !== null && isExpired(expiresAt, this.#clock);
  }
}

function infoOfEntry(key: string, [size, etag, modifiedAt, expiresAt, metadata]: EntryRow): EntryInfo {
  return infoOf(key, [size, etag, modifiedAt, expiresAt, metadata]);
}
