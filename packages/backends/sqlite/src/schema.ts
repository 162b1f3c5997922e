import type { DatabaseSync } from "node:sqlite";

/** In the header of the file, so that nobody takes it for the database of another program: "STOW". */
export const applicationId = 0x53544f57;

/** The version of the tables below. */
export const schemaVersion = 1;

/** Bytes of a value that lie in its row; larger ones are a body of chunks of this size. */
export const chunkSize: number = 256 * 1024;

/** What may be the name of a table. */
export const tableName = {
  source: "^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
  meaning: "a letter, then letters, digits, - and _, 63 at the most",
} as const;

/** The tables of one storage, quoted. */
export interface Names {
  /** One row for each entry. */
  readonly entries: string;
  /** The bytes of large values. */
  readonly chunks: string;
  /** Bodies that nobody sees: not published yet, or not any more. */
  readonly hidden: string;
}

export function namesOf(table: string): Names {
  return { entries: `"${table}"`, chunks: `"${table}.chunks"`, hidden: `"${table}.hidden"` };
}

/**
 * Makes what is missing. A body belongs to one row at the most, and is hidden by the database itself when that row goes or
 * gets another one, whatever the statement was. Nothing of an entry is declared `NOT NULL`: SQLite would copy each page that
 * a statement of several rows touches, to be able to take it back.
 */
export function createTables(database: DatabaseSync, table: string): void {
  const { entries, chunks, hidden } = namesOf(table);
  database.exec(`
    CREATE TABLE IF NOT EXISTS ${entries} (
      id INTEGER PRIMARY KEY,
      key BLOB,
      size INTEGER,
      etag TEXT,
      modified_at REAL,
      expires_at REAL,
      metadata TEXT,
      body INTEGER,
      value BLOB
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS "${table}.keys" ON ${entries} (key);
    CREATE INDEX IF NOT EXISTS "${table}.expiring" ON ${entries} (expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS ${chunks} (
      body INTEGER NOT NULL,
      position INTEGER NOT NULL,
      bytes BLOB NOT NULL,
      PRIMARY KEY (body, position)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS ${hidden} (body INTEGER PRIMARY KEY, since REAL NOT NULL) STRICT;
    CREATE TRIGGER IF NOT EXISTS "${table}.replaced" AFTER UPDATE OF body ON ${entries}
      WHEN OLD.body IS NOT NULL AND OLD.body IS NOT NEW.body
      BEGIN INSERT INTO ${hidden} (body, since) VALUES (OLD.body, 0); END;
    CREATE TRIGGER IF NOT EXISTS "${table}.removed" AFTER DELETE ON ${entries}
      WHEN OLD.body IS NOT NULL
      BEGIN INSERT INTO ${hidden} (body, since) VALUES (OLD.body, 0); END;
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${schemaVersion};
  `);
}
