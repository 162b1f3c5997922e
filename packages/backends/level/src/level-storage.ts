import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ByteStorage, Capabilities, Clock, Details, RecordStore } from "@stowage/core";
import { checkOptions, RecordStorage, systemClock, Turns } from "@stowage/core";
import type { Database } from "./database.ts";
import { openDatabase, takeFolder } from "./database.ts";
import { storageName, translate } from "./errors.ts";
import { checkFolder } from "./mark.ts";
import { definitions } from "./options.ts";
import { LevelStore } from "./store.ts";

export interface LevelOptions {
  /** The folder of the database. It is made if it is missing. */
  readonly directory: string | URL;
  /** What an acknowledged write survives: loss of power, or only the end of the process, which is faster. @default "power" */
  readonly durability?: "power" | "process" | undefined;
  /** Bytes of blocks that are kept in memory. @default 8 MiB */
  readonly cacheSize?: number | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/**
 * A storage of bytes in a LevelDB database, for one process that writes much. It can do all that the contract knows, but
 * be shared.
 *
 * ```ts
 * const users = levelStorage({ directory: "./users" });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function levelStorage(options: LevelOptions): ByteStorage {
  return new LevelStorage(options);
}

/** What `levelStorage()` makes. */
export class LevelStorage extends RecordStorage {
  override readonly capabilities: Capabilities;
  readonly #settings: Settings;

  constructor(options: LevelOptions) {
    const given = options?.directory instanceof URL ? fileURLToPath(options.directory) : options?.directory;
    checkOptions(definitions, { ...options, directory: given }, storageName);
    const { durability = "power", cacheSize = 8 * 1024 * 1024, clock = systemClock } = options;
    const settings = { directory: resolve(given), durability, cacheSize };
    const turns = new Turns(setImmediate);
    super({ name: storageName, clock, turns, translate, open: () => openStore(settings, turns, clock) });
    this.#settings = settings;
    this.capabilities = {
      ttl: "native",
      metadata: true,
      conditions: ["create", "replace", "delete", "stream"],
      list: "ordered",
      atomicBatch: true,
      anyKey: true,
      streams: "buffered",
      durability,
      shared: false,
    };
  }

  override details(): Details {
    return { options: { ...this.#settings }, stats: this.committed };
  }
}

interface Settings {
  readonly directory: string;
  readonly durability: "power" | "process";
  readonly cacheSize: number;
}

async function openStore({ directory, durability, cacheSize }: Settings, turns: Turns, clock: Clock): Promise<RecordStore> {
  await checkFolder(directory);
  const giveBack = await takeFolder(directory);
  let database: Database | undefined;
  try {
    database = await openDatabase(directory, cacheSize);
    const store = new LevelStore(database, giveBack, durability === "power", turns, clock);
    await store.load();
    return store;
  } catch (error) {
    await database?.close();
    giveBack();
    throw error;
  }
}
