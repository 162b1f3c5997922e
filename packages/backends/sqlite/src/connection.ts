import { DatabaseSync } from "node:sqlite";
import { checkDatabase } from "./head.ts";
import { Rows } from "./rows.ts";
import { createTables, namesOf } from "./schema.ts";
import { Transactions } from "./transactions.ts";

/** What every connection of one storage has in common. */
export interface ConnectionOptions {
  readonly path: string;
  readonly table: string;
  readonly durability: "power" | "process";
  /** Bytes of pages that a connection keeps in memory. */
  readonly cacheSize: number;
  /** Milliseconds that SQLite itself waits for a lock, on the calling thread. */
  readonly lockTimeout: number;
}

/** Bytes that the write-ahead log may keep on the disk once its content was moved into the database. */
const longestLog: number = 64 * 1024 * 1024;

/** A connection that writes, whose tables are there. */
export interface WritingConnection {
  readonly database: DatabaseSync;
  readonly rows: Rows;
  readonly transactions: Transactions;
}

/**
 * Opens a database, makes it where it is missing, and checks that it can keep what is promised. The tables are made before
 * the log is switched to write-ahead, so that the file says at every moment whose it is.
 *
 * @throws errors of SQLite, those of `checkDatabase`, and a `Fault` where the file system cannot do write-ahead logging
 */
export function openWriting(options: ConnectionOptions): WritingConnection {
  const database = open(options);
  try {
    database.exec("BEGIN IMMEDIATE");
    checkDatabase(database, options.table);
    createTables(database, options.table);
    database.exec("COMMIT");
    const mode = database.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
    if (mode.journal_mode !== "wal") throw noLog;
    database.exec(`PRAGMA synchronous = ${options.durability === "power" ? "FULL" : "NORMAL"}`);
    database.exec(`PRAGMA journal_size_limit = ${longestLog}`);
    const names = namesOf(options.table);
    return { database, rows: new Rows(database, names), transactions: new Transactions(database, names, options.durability) };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens one more connection, which only reads, to a database whose tables are there. */
export function openReading(options: ConnectionOptions): { readonly database: DatabaseSync; readonly rows: Rows } {
  const database = open(options);
  try {
    database.exec("PRAGMA query_only = ON");
    return { database, rows: new Rows(database, namesOf(options.table)) };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What is thrown where the file system has no shared memory, as over a network. */
export const noLog = {
  code: "unsupported",
  message: "The file system of the database cannot do write-ahead logging, as over a network; choose a local disk.",
  outcome: "none",
  cause: undefined,
} as const;

function open({ path, cacheSize, lockTimeout }: ConnectionOptions): DatabaseSync {
  const database = new DatabaseSync(path, { enableDoubleQuotedStringLiterals: false, timeout: lockTimeout });
  try {
    database.exec(`PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${Math.ceil(cacheSize / 1024)}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
