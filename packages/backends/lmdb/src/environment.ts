import type { DatabaseOptions } from "lmdb";
import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { Database, RootDatabase } from "./native.ts";
import { openEnvironment, textKeys, viewedValues } from "./native.ts";

/** The tables of a file, two of LMDB's databases each. */
const mostTables = 64;

/** The mark of a file that is ours, beside the names of its tables, and the version of what is in it. */
const formatKey = "stowage:format";
const formatVersion = 1;

/** The two databases of a table. */
export interface Tables {
  /** Records by key. */
  readonly entries: Database;
  /** The keys of records that expire, by when they do. */
  readonly expiries: Database;
}

/**
 * Opens the file, and makes it where it is missing. Every commit is on the disk when it is done, by LMDB's own way: pages
 * first, then the head that points at them. lmdb-js would commit before the sync otherwise.
 *
 * @throws StorageError `config` where it is the file of another program, `unsupported` where it is of a newer version
 */
export function openFile(path: string): RootDatabase {
  const root = openEnvironment({
    path,
    noSubdir: true,
    overlappingSync: false,
    maxDbs: 2 * mostTables,
    ...(keysAndValues as object),
  });
  try {
    checkFormat(root);
    return root;
  } catch (error) {
    void root.close();
    throw error;
  }
}

export function openTables(root: RootDatabase, table: string): Tables {
  return {
    entries: root.openDB(table, keysAndValues),
    expiries: root.openDB(`${table}.expiries`, { keyEncoding: "binary", encoding: "binary" }),
  };
}

const keysAndValues = { keyEncoder: textKeys, encoder: viewedValues } as DatabaseOptions;

function checkFormat(root: RootDatabase): void {
  const version = root.getBinaryFast(formatKey)?.[0];
  if (version === formatVersion) return;
  if (version !== undefined) {
    const message = `The database has version ${version} and this package knows ${formatVersion} at the most; update it.`;
    throw new StorageError("unsupported", message, { storage: storageName });
  }
  for (const _ of root.getKeys({ limit: 1, start: "\0" })) {
    const message = "The file is the LMDB database of another program; give this storage a file of its own.";
    throw new StorageError("config", message, { storage: storageName });
  }
  root.transactionSync(() => {
    root.put(formatKey, new Uint8Array([formatVersion]));
  });
}
