import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { EntryInfo, KeyRange } from "@stowage/core";
import type { Names } from "./schema.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a row says of an entry, in the order of its columns. */
export type InfoRow = readonly [size: number, etag: string, modifiedAt: number, expiresAt: number | null, metadata: string | null];
export type EntryRow = readonly [...InfoRow, body: number | null, value: Bytes | null];
export type ValueRow = readonly [value: Bytes | null, expiresAt: number | null];
type ListedRow = readonly [key: string, ...InfoRow];

/** What is after every key: no UTF-8 text has this byte. */
export const afterAllKeys: Uint8Array = Uint8Array.of(0xff);

const info = "size, etag, modified_at, expires_at, metadata";

/** The reads of one table on one connection, each a prepared statement. Keys are compared as bytes. */
export class Rows {
  readonly #database: DatabaseSync;
  readonly #names: Names;
  readonly #value: StatementSync;
  readonly #entry: StatementSync;
  readonly #info: StatementSync;
  readonly #chunk: StatementSync;
  readonly #keys: StatementSync;
  readonly #livingKeys: StatementSync;
  readonly #infos: StatementSync;
  readonly #expiring: StatementSync;
  readonly #newest: StatementSync;

  constructor(database: DatabaseSync, names: Names) {
    this.#database = database;
    this.#names = names;
    const { entries, chunks } = names;
    const one = `FROM ${entries} WHERE key = CAST(? AS BLOB)`;
    const range = `FROM ${entries} WHERE key >= CAST(? AS BLOB) AND key < CAST(? AS BLOB)`;
    // Bytes that are read at once, and no key has a zero. As a text they would end at the first of them for Node 22.
    const together = "SELECT CAST(group_concat(key, char(0)) AS BLOB) FROM";
    const alive = "AND (expires_at IS NULL OR expires_at > ?)";
    this.#value = this.#prepare(`SELECT value, expires_at ${one}`);
    this.#entry = this.#prepare(`SELECT ${info}, body, value ${one}`);
    this.#info = this.#prepare(`SELECT ${info} ${one}`);
    this.#chunk = this.#prepare(`SELECT bytes FROM ${chunks} WHERE body = ? AND position = ?`);
    this.#keys = this.#prepare(`${together} (SELECT key ${range} ORDER BY key LIMIT ?)`);
    this.#livingKeys = this.#prepare(`${together} (SELECT key ${range} ${alive} ORDER BY key LIMIT ?)`);
    this.#infos = this.#prepare(`SELECT CAST(key AS TEXT), ${info} ${range} ${alive} ORDER BY key LIMIT ?`);
    this.#expiring = this.#prepare(`SELECT 1 FROM ${entries} WHERE expires_at IS NOT NULL LIMIT 1`);
    this.#newest = this.#prepare(`SELECT max(id) FROM ${entries}`);
  }

  /** The value and the expiry; a value of `null` lies in chunks. */
  value(key: string): ValueRow | undefined {
    return this.#value.get(key) as unknown as ValueRow | undefined;
  }

  entry(key: string): EntryRow | undefined {
    return this.#entry.get(key) as unknown as EntryRow | undefined;
  }

  info(key: string): InfoRow | undefined {
    return this.#info.get(key) as unknown as InfoRow | undefined;
  }

  chunk(body: number, position: number): Bytes | undefined {
    const row = this.#chunk.get(body, position) as unknown as readonly [Bytes] | undefined;
    return row?.[0];
  }

  /** Entries of a range that have not expired, in order; without `info` their keys only. */
  range({ from, end }: KeyRange, most: number, withInfo: boolean, now: number): EntryInfo[] {
    const last = end ?? afterAllKeys;
    if (!withInfo) return this.#keysOf(from, last, most, now).map((key) => ({ key }));
    const rows = this.#infos.all(from, last, now, most) as unknown as readonly ListedRow[];
    return rows.map(([key, ...row]) => infoOf(key, row));
  }

  /** The row that was made last; 0 where there is none. */
  newest(): number {
    return (this.#newest.get() as unknown as readonly [number | null])[0] ?? 0;
  }

  /** Bytes of the values. Looks at every row. */
  size(): { readonly entries: number; readonly bytes: number } {
    const row = this.#prepare(`SELECT count(*), total(size) FROM ${this.#names.entries}`).get() as unknown as readonly [number, number];
    return { entries: row[0], bytes: row[1] };
  }

  /** Where nothing expires, keys are read from their index alone. */
  #keysOf(from: string, last: string | Uint8Array, most: number, now: number): readonly string[] {
    const row = this.#expiring.get() === undefined ? this.#keys.get(from, last, most) : this.#livingKeys.get(from, last, now, most);
    const [keys] = row as unknown as readonly [Bytes | null];
    return keys === null ? [] : Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength).toString().split("\0");
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }
}

export function infoOf(key: string, [size, etag, modifiedAt, expiresAt, metadata]: InfoRow): EntryInfo {
  if (expiresAt === null && metadata === null) return { key, size, etag, modifiedAt }; // as most are: spreading takes time
  return {
    key,
    size,
    etag,
    modifiedAt,
    ...(expiresAt !== null && { expiresAt }),
    ...(metadata !== null && { metadata: JSON.parse(metadata) as Record<string, string> }),
  };
}
