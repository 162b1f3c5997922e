import type { Fault } from "./changes.ts";

/** The result code of an error of SQLite, without its extension; `undefined` for every other error. Source: sqlite.org/rescode.html */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** Whether another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === 5 || code === 6;
}

/** Whether what was being written may be there all the same. */
export function isUnsure(error: unknown): boolean {
  return resultCode(error) === 10;
}

/** What a call gets that goes on when the storage is closed. */
const closed: Fault = {
  code: "closed",
  message: 'The storage "sqlite" is closed; make a new one.',
  outcome: "none",
  cause: undefined,
};

/** Whether the database was closed, as `Commits` says, or as Node says of its statements. */
function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "closed" || error.code === "ERR_INVALID_STATE");
}

/** What an error of SQLite means; `undefined` for every other error. */
export function faultOf(error: unknown, outcome: "none" | "unknown" = "none"): Fault | undefined {
  if (isClosed(error)) return closed;
  const result = resultCode(error);
  if (result === undefined) return undefined;
  const [code, message] = meanings[result] ?? ["internal", `SQLite refused with result code ${result}.`];
  return { code, message, outcome, cause: error };
}

const meanings: Readonly<Record<number, readonly [code: Fault["code"], message: string]>> = {
  3: ["denied", "The database file may not be opened; check who owns it and its permissions."],
  5: ["unavailable", "Another connection holds the lock of the database."],
  6: ["unavailable", "Another connection holds the lock of the database."],
  7: ["unavailable", "There is no memory left for the database."],
  8: ["read-only", "The database file, or its disk, can only be read."],
  10: ["unavailable", "The disk of the database failed."],
  11: ["corrupt", "The database file is damaged; restore a backup."],
  13: ["full", "The disk of the database is full; free some space."],
  14: ["denied", "The database file cannot be opened; check its folder and its permissions."],
  18: ["too-large", "The database takes no value of this size."],
  22: ["too-large", "The file system takes no file of this size."],
  23: ["denied", "The database refuses this."],
  26: ["corrupt", "The file is no SQLite database, or its head is damaged."],
};
