import { StorageError } from "@stowage/core";
import type { Connection, Reply } from "./command.ts";
import { storageName } from "./errors.ts";
import type { Names } from "./names.ts";

const call = { operation: "open", writes: false };

/**
 * Refuses a namespace that was laid out otherwise: a storage without the index would leave it wrong, and one with it would
 * not list what others wrote.
 */
export async function checkFormat(connection: Connection, { format }: Names, ordered: boolean): Promise<void> {
  const mine = ordered ? "1 ordered" : "1 unordered";
  const found = await connection.send(format, ["SET", format, mine, "NX", "GET"], call, (reply: Reply) => reply);
  if (found === null || String(found) === mine) return;
  const message =
    String(found) === "1 ordered" || String(found) === "1 unordered"
      ? `The namespace is ${ordered ? "not ordered" : "ordered"}: set ordered: ${!ordered}, or copy it into another namespace.`
      : "The namespace was laid out by a newer version of this package; update it.";
  throw new StorageError("config", message, { operation: "open", storage: storageName });
}

/** Refuses a server that keeps less than was promised. */
export async function checkDurability(connection: Connection, name: string, durability: "process" | "power"): Promise<void> {
  const ask = (command: string[]): Promise<Reply> => connection.send(name, command, call, (reply) => reply);
  const [info, settings] = await Promise.all([ask(["INFO", "persistence"]), ask(["CONFIG", "GET", "*appendfsync*"])]).catch(
    (error: unknown) => {
      if (!StorageError.is(error, "denied")) throw error;
      throw refused("The user may not ask the server for its settings (INFO and CONFIG GET), so nobody knows what it keeps", error);
    },
  );
  const values = settingsOf(settings);
  const sync = values.get("appendfsync");
  if (!String(info).includes("aof_enabled:1")) throw refused('The server has no append-only file ("appendonly yes")');
  // With "everysec" the server answers up to two seconds before it writes, while a sync is slow.
  if (durability === "process" && sync !== "always" && sync !== "no") {
    throw refused(`The server has "appendfsync ${sync}", and must have "always" or "no" to write before it answers`);
  }
  if (durability === "power" && (sync !== "always" || values.get("no-appendfsync-on-rewrite") !== "no")) {
    throw refused('The server must have "appendfsync always" and "no-appendfsync-on-rewrite no" to sync before it answers');
  }
}

/** Pairs come as a map from RESP3. */
function settingsOf(reply: unknown): ReadonlyMap<string, string> {
  const entries = reply instanceof Map ? [...reply] : Object.entries(reply as object);
  return new Map(entries.map(([name, value]) => [String(name), String(value)]));
}

function refused(why: string, cause?: unknown): StorageError {
  return new StorageError("config", `${why}; change that, or promise less by the option durability.`, {
    operation: "open",
    storage: storageName,
    cause,
  });
}
