import { opendir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { isKey } from "@stowage/core";

export interface FoundFile {
  /** The folder's name, then the path inside it with slashes. */
  readonly key: string;
  readonly path: string;
  readonly size: number;
}

export interface Found {
  readonly folder: string;
  /** What all keys begin with. */
  readonly prefix: string;
  readonly files: readonly FoundFile[];
  /** Paths that cannot be stored, with the reason. */
  readonly skipped: readonly string[];
}

/** What is made from the sources, or belongs to other tools. */
const ignored = new Set(["node_modules", "dist", "data", "coverage", ".git", ".turbo"]);

/** The regular files below a folder. */
export async function findFiles(folder: string): Promise<Found> {
  const info = await stat(folder).catch(() => undefined);
  if (info === undefined) throw new Error(`There is no folder ${folder}; give the path of one that exists.`);
  if (!info.isDirectory()) throw new Error(`${folder} is not a folder; give the path of one.`);
  const prefix = `${basename(folder) || "root"}/`;
  const files: FoundFile[] = [];
  const skipped: string[] = [];
  await walk(folder, async (path) => {
    const key = prefix + relative(folder, path).split(sep).join("/");
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) skipped.push(`${path}: cannot be read`);
    else if (!isKey(key)) skipped.push(`${path}: its path is not a legal key`);
    else files.push({ key, path, size: found.size });
  });
  if (files.length === 0) throw new Error(`There are no files in ${folder}; give a folder with some.`);
  return { folder, prefix, files, skipped };
}

async function walk(folder: string, visit: (path: string) => Promise<void>): Promise<void> {
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !ignored.has(entry.name)) await walk(path, visit);
    else if (entry.isFile()) await visit(path);
  }
}
