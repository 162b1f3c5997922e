import { join } from "node:path";
import { behind } from "@stowage/behind";
import { compressed } from "@stowage/compressed";
import type { ByteStorage } from "@stowage/core";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { levelStorage } from "@stowage/level";
import { lmdbStorage } from "@stowage/lmdb";
import { retry } from "@stowage/retry";
import { sqliteStorage } from "@stowage/sqlite";

/** What is put to the test, in words that fit through a command line. */
export type Target = FileTarget | SqliteTarget | LmdbTarget | LevelTarget;

interface FileTarget {
  readonly layout: "tree" | "encoded";
  readonly durability: "process" | "power";
  /** With retry and compression on it. */
  readonly stacked?: boolean;
  /** Written behind, with the journal in a folder beside. */
  readonly behind?: boolean;
}

interface SqliteTarget {
  /** Whether commits have a thread of their own. */
  readonly sqlite: "direct" | "thread";
  readonly durability: "process" | "power";
}

interface LmdbTarget {
  readonly lmdb: "file";
  readonly durability: "power";
}

interface LevelTarget {
  readonly level: "folder";
  readonly durability: "process" | "power";
}

export function openTarget(target: Target, directory: string): ByteStorage {
  const { durability } = target;
  if ("sqlite" in target) return sqliteStorage({ path: join(directory, "data.db"), durability, thread: target.sqlite === "thread" });
  if ("lmdb" in target) return lmdbStorage({ path: join(directory, "data.mdb") });
  if ("level" in target) return levelStorage({ directory, durability });
  const folder = fileStorage({ directory, layout: target.layout, durability });
  if (target.behind === true)
    return behind({ window: 20, journal: fileStorage({ directory: join(directory, "..", "journal"), durability }) })(folder);
  return target.stacked === true ? stack(folder, retry(), compressed()) : folder;
}

export function nameOf(target: Target): string {
  if ("sqlite" in target) return `sqlite, ${target.sqlite}, ${target.durability}`;
  if ("lmdb" in target) return `lmdb, ${target.durability}`;
  if ("level" in target) return `level, ${target.durability}`;
  return `file, ${target.layout}, ${target.durability}${target.stacked === true ? ", retry, compressed" : ""}${target.behind === true ? ", behind" : ""}`;
}
