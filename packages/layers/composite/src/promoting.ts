import type { Bytes, Entry, EntryInfo, OperationName } from "@stowage/core";
import { isLostRace } from "@stowage/core";
import { removeOlder } from "./placing.ts";
import type { Landing, Replica } from "./replica.ts";
import type { Send } from "./replica-call.ts";
import { sendShare } from "./streaming.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import { oldest, versionOf } from "./versions.ts";

/**
 * Copies a value to a replica that had nothing, unless it has something by then or knows of a newer delete.
 *
 * @param found the value, where it is at hand
 */
export async function promote(
  key: string,
  found: Entry<Bytes> | undefined,
  from: Replica,
  to: Replica,
  signal: AbortSignal,
): Promise<boolean> {
  return await to.inOrder(key, async (landing) => {
    const streams = to.storage.capabilities.conditions.includes("stream");
    const entry = found ?? (await from.call(...(streams ? readOf(from, key) : entryOf(from, key)), signal));
    if (entry === undefined) return false;
    try {
      return await copyUp(key, entry, to, landing, signal);
    } finally {
      if (entry.value instanceof ReadableStream) entry.value.cancel().catch(() => {}); // where nobody has begun to read it
    }
  });
}

async function copyUp(key: string, entry: Found, to: Replica, landing: Landing, signal: AbortSignal): Promise<boolean> {
  const { metadata, expiresAt, value, size } = entry;
  const version = versionOf(entry);
  const tombstoneKey = await tombstoneKeyOf(key);
  const deleted = async (): Promise<string> => {
    const tombstone = await to.head(tombstoneKey, signal);
    return tombstone === undefined ? oldest : versionOf(tombstone);
  };
  if ((await deleted()) > version) return false;
  const options = { metadata, expiresAt, ifNoneMatch: "*" } as const;
  const put = (bytes: Bytes): Promise<EntryInfo> =>
    to.call("put", (own) => landing(to.storage.put(key, bytes, { ...options, signal: own })), signal);
  const write = (stream: ReadableStream<Bytes>): Promise<EntryInfo> => {
    const send: Parameters<typeof sendShare>[3] = (share, own) => to.storage.write(key, share, { ...options, size, signal: own });
    return to.call("write", (own) => sendShare(to, stream, own, send), signal);
  };
  try {
    await (value instanceof Uint8Array ? put(value) : write(value));
  } catch (error) {
    if (!isLostRace(error)) throw error;
    return false;
  }
  // A delete puts its tombstone before it looks for the value: one of the two sees the other.
  const newer = await deleted();
  if (newer <= version) return true;
  await removeOlder({ replica: to, key, version: newer, signal, landing, conditional: to.isConditional });
  return false;
}

type Found = Entry<Bytes | ReadableStream<Bytes>>;
type Reading = [operation: OperationName, send: Send<Found | undefined>];

function readOf({ storage }: Replica, key: string): Reading {
  return ["read", (signal) => storage.read(key, { signal })];
}

function entryOf({ storage }: Replica, key: string): Reading {
  return ["getEntry", (signal) => storage.getEntry(key, { signal })];
}
