import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Change, Put, Version } from "./changes.ts";
import type { Names } from "./schema.ts";
import { chunkSize } from "./schema.ts";

/** Numbers of plain puts that one statement makes. */
export const manyPlain: readonly number[] = [32, 8];

/** Whether a change is a put that asks for nothing but a value and metadata in a row. */
export function isPlain(change: Change): change is Put {
  if (change.type !== "put" || change.value.byteLength > chunkSize) return false;
  return change.ifMatch === undefined && change.ifNoneMatch === undefined && change.version.expiresAt === undefined;
}

/** Writes the rows of entries, each over the row that has the key already, if there is one. */
export class Puts {
  readonly #any: StatementSync;
  readonly #plain: StatementSync;
  readonly #manyPlain: ReadonlyMap<number, StatementSync>;

  constructor(database: DatabaseSync, { entries }: Names) {
    const put = (columns: readonly string[], rows: number): string => {
      const row = `(CAST(? AS BLOB)${", ?".repeat(columns.length)})`;
      const overwritten = columns.map((column) => `${column} = excluded.${column}`);
      return `INSERT INTO ${entries} (key, ${columns.join(", ")}) VALUES ${Array(rows).fill(row).join(", ")}
        ON CONFLICT (key) DO UPDATE SET ${overwritten.join(", ")}`;
    };
    const plain = ["size", "etag", "modified_at", "metadata", "value"];
    const overPlain = "WHERE expires_at IS NULL AND body IS NULL";
    this.#any = database.prepare(put([...plain, "expires_at", "body"], 1));
    const preparePlain = (rows: number): StatementSync => database.prepare(`${put(plain, rows)} ${overPlain}`);
    this.#plain = preparePlain(1);
    this.#manyPlain = new Map(manyPlain.map((rows) => [rows, preparePlain(rows)]));
  }

  /** The value lies in the row, or in the chunks of a body. */
  put(key: string, size: number, version: Version, value: Uint8Array | null, body: number | null): void {
    const { etag, modifiedAt, expiresAt = null, metadata = null } = version;
    this.#any.run(key, size, etag, modifiedAt, metadata, value, expiresAt, body);
  }

  /**
   * Makes a plain put. To touch neither expiry nor body is what makes it quick: it spares the index of expiries and the
   * trigger that hides bodies.
   *
   * @returns whether it is made; one over an entry with an expiry or a body is not
   */
  putPlain({ key, value, version: { etag, modifiedAt, metadata } }: Put): boolean {
    return this.#plain.run(key, value.byteLength, etag, modifiedAt, metadata ?? null, value).changes === 1;
  }

  /** Makes several plain puts, one of the numbers of `manyPlain`. Answers whether all are made. */
  putManyPlain(puts: readonly Put[]): boolean {
    const values: (string | number | null | Uint8Array)[] = [];
    for (const { key, value, version } of puts) {
      values.push(key, value.byteLength, version.etag, version.modifiedAt, version.metadata ?? null, value);
    }
    return this.#manyPlain.get(puts.length)!.run(...values).changes === puts.length;
  }
}
