import type { Clock, Options } from "@stowage/core";
import { option, StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import { tableName } from "./schema.ts";

export interface SqliteOptions {
  /** The database file. It is made if it is missing, and so is its folder. */
  readonly path: string | URL;
  /** Which of several storages in one file this is: letters, digits, - and _. No two may differ in case only. @default "entries" */
  readonly table?: string | undefined;
  /** What an acknowledged write survives: loss of power, or only the end of the process, which is faster. @default "power" */
  readonly durability?: "power" | "process" | undefined;
  /** Bytes of pages that are kept in memory. @default 64 MiB */
  readonly cacheSize?: number | undefined;
  /** Milliseconds that a write waits for the lock of another connection, before it is `unavailable`. @default 10_000 */
  readonly busyTimeout?: number | undefined;
  /** Commits on a thread of its own, so that no sync of the disk holds up the event loop. @default false */
  readonly thread?: boolean | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/** The options, for code and for storage files. */
export const definitions: Options = {
  path: option.path("The database file. It is made if it is missing, and so is its folder.", { required: true }),
  table: option.text("Which of several storages in one file this is.", { pattern: tableName, default: "entries" }),
  durability: option.choice(
    "What an acknowledged write survives: loss of power, or only the end of the process, which is faster.",
    ["power", "process"],
    {
      default: "power",
    },
  ),
  cacheSize: option.size("Bytes of pages that are kept in memory.", { default: 64 * 1024 * 1024 }),
  busyTimeout: option.duration("How long a write waits for the lock of another connection.", { default: 10_000 }),
  thread: option.boolean("Commits on a thread of its own, so that no sync of the disk holds up the event loop.", { default: false }),
};

export function checkTable(table: string | undefined): void {
  if (table === undefined || !/^sqlite_/i.test(table)) return;
  const message = 'The option "table" begins with "sqlite_", which SQLite keeps for its own tables; choose another name.';
  throw new StorageError("invalid-option", message, { storage: storageName });
}

/** The options with their defaults; the path and the clock are kept apart. */
export interface Settings {
  readonly table: string;
  readonly durability: "power" | "process";
  readonly cacheSize: number;
  readonly busyTimeout: number;
  readonly thread: boolean;
}

export function settle({ table, durability, cacheSize, busyTimeout, thread }: SqliteOptions): Settings {
  return {
    table: table ?? "entries",
    durability: durability ?? "power",
    cacheSize: cacheSize ?? 64 * 1024 * 1024,
    busyTimeout: busyTimeout ?? 10_000,
    thread: thread ?? false,
  };
}
