import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Change, Put, Version } from "./changes.ts";
import type { Names } from "./schema.ts";
import { chunkSize } from "./schema.ts";

/** Plain puts that one statement makes: as many of these as there are. */
export const plainAtOnce: readonly number[] = [32, 8, 1];

/** Whether a change is a put that asks for nothing but a value and metadata in a row. */
export function isPlain(change: Change): change is Put {
  if (change.type !== "put" || change.value.byteLength > chunkSize) return false;
  return change.ifMatch === undefined && change.ifNoneMatch === undefined && change.version.expiresAt === undefined;
}

/** Writes the rows of entries, each over the row that has the key already, if there is one. */
export class Puts {
  readonly #any: StatementSync;
  readonly #plain: ReadonlyMap<number, StatementSync>;

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
    this.#plain = new Map(plainAtOnce.map((rows) => [rows, database.prepare(`${put(plain, rows)} ${overPlain}`)]));
  }

  /** The value lies in the row, or in the chunks of a body. */
  put(key: string, size: number, version: Version, value: Uint8Array | null, body: number | null): void {
    const { etag, modifiedAt, expiresAt = null, metadata = null } = version;
    this.#any.run(key, size, etag, modifiedAt, metadata, value, expiresAt, body);
  }

  /**
   * Makes as many plain puts as `plainAtOnce` knows. Touching neither expiry nor body is what makes them quick: it spares the index
   * of expiries and the trigger that hides bodies.
   *
   * @returns whether all are made; those over an entry with an expiry or a body are not
   */
  putPlain(puts: readonly Put[]): boolean {
    const values: (string | number | null | Uint8Array)[] = [];
    for (const { key, value, version } of puts) {
      values.push(key, value.byteLength, version.etag, version.modifiedAt, version.metadata ?? null, value);
    }
    return this.#plain.get(puts.length)!.run(...values).changes === puts.length;
  }
}
