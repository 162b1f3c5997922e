import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ByteStorage, Capabilities, Clock, Details, RecordStore } from "@stowage/core";
import { checkOptions, RecordStorage, systemClock, Turns } from "@stowage/core";
import { openFile, openTables } from "./environment.ts";
import { storageName, translate } from "./errors.ts";
import { makeFolder, syncFolder } from "./folders.ts";
import { checkHead } from "./head.ts";
import { definitions } from "./options.ts";
import { LmdbStore } from "./store.ts";

export interface LmdbOptions {
  /** The database file. It is made if it is missing, and so is its folder. Its lock file lies beside it. */
  readonly path: string | URL;
  /** Which of several storages in one file this is: letters, digits, - and _. @default "entries" */
  readonly table?: string | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/**
 * A storage of bytes in an LMDB database file: reads come from mapped memory, and several processes may use one file.
 *
 * ```ts
 * const users = lmdbStorage({ path: "./data.mdb", table: "users" });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function lmdbStorage(options: LmdbOptions): ByteStorage {
  return new LmdbStorage(options);
}

/** What `lmdbStorage()` makes. */
export class LmdbStorage extends RecordStorage {
  override readonly capabilities: Capabilities = {
    ttl: "native",
    metadata: true,
    conditions: ["create", "replace", "delete", "stream"],
    list: "ordered",
    atomicBatch: true,
    anyKey: true,
    streams: "buffered",
    durability: "power",
    shared: true,
  };
  readonly #path: string;
  readonly #table: string;

  constructor(options: LmdbOptions) {
    const given = options?.path instanceof URL ? fileURLToPath(options.path) : options?.path;
    checkOptions(definitions, { ...options, path: given }, storageName);
    const path = resolve(given);
    const { table = "entries", clock = systemClock } = options;
    const turns = new Turns(setImmediate);
    super({ name: storageName, clock, turns, translate, open: () => openStore(path, table, turns, clock) });
    this.#path = path;
    this.#table = table;
  }

  override details(): Details {
    return { options: { path: this.#path, table: this.#table }, stats: this.committed };
  }
}

async function openStore(path: string, table: string, turns: Turns, clock: Clock): Promise<RecordStore> {
  const folder = dirname(path);
  await makeFolder(folder);
  await checkHead(path);
  const root = openFile(path);
  try {
    await syncFolder(folder); // the name of the file
    return new LmdbStore(root, path, openTables(root, table), turns, clock);
  } catch (error) {
    await root.close();
    throw error;
  }
}
