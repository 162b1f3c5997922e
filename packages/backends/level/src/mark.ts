import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import { makeFolder, syncFolder } from "./folders.ts";

/** The file that says whose a folder is, and the version of what is in it. LevelDB leaves it alone. */
const markName = "STOWAGE";
const markText = "stowage level 1\n";
const markPattern = /^stowage level (\d+)\n$/;

/**
 * Makes the folder, or looks whether it is ours, before LevelDB does, which would begin a database in any. What is refused
 * is left as it is.
 *
 * @throws StorageError `config` where the folder is that of something else, `unsupported` where it is of a newer version, `corrupt` where its database is gone
 */
export async function checkFolder(directory: string): Promise<void> {
  const found = await stat(directory).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) await makeFolder(directory);
  else if (!found.isDirectory()) refuse("config", "The path of the database leads to something that is not a folder; choose another one.");
  const names = await readdir(directory);
  const mark = names.includes(markName) ? await readFile(join(directory, markName), "utf8") : "";
  if (mark === "") {
    if (names.some((name) => name !== markName)) {
      refuse("config", "The folder holds something else already; give this storage a folder of its own.");
    }
    await writeMark(directory);
    return;
  }
  const version = markPattern.exec(mark)?.[1];
  if (version === undefined) refuse("config", `The file ${markName} in the folder is not of this package; choose another folder.`);
  if (Number(version) > 1) refuse("unsupported", `The database has version ${version} and this package knows 1 at the most; update it.`);
  if (!names.includes("CURRENT") && names.some((name) => name.endsWith(".ldb") || name.startsWith("MANIFEST"))) {
    refuse("corrupt", "The database lacks its file CURRENT; restore a backup. Nothing was changed.");
  }
}

/** The mark is on the disk before anything else is in the folder. */
async function writeMark(directory: string): Promise<void> {
  const file = await open(join(directory, markName), "w");
  try {
    await file.writeFile(markText);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(directory);
}

function refuse(code: ErrorCode, message: string): never {
  throw new StorageError(code, message, { storage: storageName });
}
