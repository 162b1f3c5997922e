import type { Bytes, ByteStorage, Entry, EntryInfo, OperationName, PutOptions } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Place } from "./placing.ts";
import { bury, placeOver, removeOlder } from "./placing.ts";
import type { Glance, Landing, Look, Replica } from "./replica.ts";
import { deletedVersion, valueVersion } from "./replica.ts";
import { sendShare } from "./streaming.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import type { VersionClock } from "./versions.ts";
import { oldest, versionName, versionOf } from "./versions.ts";

/** Values known to be smaller are copied as a whole, the others as streams. */
const streamFrom = 256 * 1024;

/** What was done to bring the replicas of one key together. */
export interface Mended {
  readonly copied: number;
  readonly deleted: number;
  /** Whether every replica was reached and now has the same. */
  readonly complete: boolean;
  /** What stood in the way, where it is not complete. */
  readonly error?: unknown;
}

/** What a replica has, where it could be asked. */
interface Found {
  readonly replica: Replica;
  readonly look: Look;
}

/** Brings all replicas that can be reached to the newest version of a key: its value, or that it was deleted. */
export async function mend(
  key: string,
  replicas: readonly Replica[],
  versions: VersionClock,
  signal: AbortSignal | undefined,
): Promise<Mended> {
  const tombstoneKey = await tombstoneKeyOf(key);
  let error: unknown;
  const note = (reason: unknown): void => {
    error ??= reason;
  };
  const found: Found[] = [];
  await Promise.all(
    replicas.map(async (replica) => {
      try {
        found.push({ replica, look: await replica.look(key, tombstoneKey, signal) });
      } catch (reason) {
        note(reason);
      }
    }),
  );
  found.sort((a, b) => a.replica.index - b.replica.index);
  for (const { look } of found) versions.observe(valueVersion(look) ?? oldest);
  const job: Job = { key, tombstoneKey, versions, signal };
  const deleted = newestOf(found.map(({ look }) => deletedVersion(look)));
  const source = newestValue(found);
  const forgotten = deleted === oldest ? found.find(({ look }) => look.tombstone.damage !== undefined) : undefined;
  const tally = { copied: 0, deleted: 0 };
  // The tombstones first: a value may be dead only by them.
  const changes = found.map(async ({ replica, look }) => {
    if (deleted !== oldest && deletedVersion(look) < deleted) {
      if (await replica.inOrder(key, (landing) => bury(placeOn(replica, job, deleted, landing), look.tombstone))) tally.copied++;
    }
    if (forgotten !== undefined) throw damage(forgotten.replica); // a delete that nobody can read any more may be the newest
    const lives = source !== undefined && valueVersion(source.look)! >= deleted;
    if (!lives) {
      if (look.value.damage !== undefined) throw damage(replica);
      const isDead = (valueVersion(look) ?? deleted) < deleted;
      if (isDead && (await removeOn(replica, job, deleted))) tally.deleted++;
    } else if (await copyTo(source, { replica, look }, job)) tally.copied++;
  });
  for (const end of await Promise.allSettled(changes)) if (end.status === "rejected") note(end.reason);
  signal?.throwIfAborted();
  return { ...tally, complete: error === undefined, error };
}

interface Job {
  readonly key: string;
  readonly tombstoneKey: string;
  readonly versions: VersionClock;
  readonly signal: AbortSignal | undefined;
}

function newestOf(versions: readonly string[]): string {
  return versions.reduce((newest, version) => (version > newest ? version : newest), oldest);
}

/** Who has the newest value; of several the first. */
function newestValue(found: readonly Found[]): Found | undefined {
  let newest: Found | undefined;
  for (const each of found) {
    const version = valueVersion(each.look);
    if (version !== undefined && (newest === undefined || version > valueVersion(newest.look)!)) newest = each;
  }
  return newest;
}

/** Copies the newest value to a replica that has another. A value without a version gets one on the way, wherever it is. */
async function copyTo(source: Found, { replica, look }: Found, job: Job): Promise<boolean> {
  const expected = valueVersion(source.look)!;
  if (expected !== oldest && valueVersion(look) === expected) return false;
  const version = expected === oldest ? job.versions.first() : expected;
  return await replica.inOrder(job.key, (landing) =>
    copyValue(source.replica, expected, placeOn(replica, job, version, landing), look.value),
  );
}

/** Copies a value as it is, with its expiry and metadata, unless one side has another one by then. */
async function copyValue(from: Replica, expected: string, place: Place, known: Glance): Promise<boolean> {
  const { replica: to, key, version } = place;
  const isMeant = (info: EntryInfo): boolean => versionOf(info) === expected || versionOf(info) === version;
  const info = await from.head(key, place.signal);
  if (info === undefined || !isMeant(info)) return false;
  const streamed = (info.size ?? streamFrom) >= streamFrom && canStream(from.storage) && canStream(to.storage) && keepsOrder(to);
  let copied = false;
  const fetch = async <E extends Entry<Bytes | ReadableStream<Bytes>>>(
    operation: OperationName,
    send: (signal: AbortSignal | undefined) => Promise<E | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<E> => {
    const entry = await from.call(operation, send, signal);
    if (entry !== undefined && isMeant(entry)) return entry;
    if (entry?.value instanceof ReadableStream) entry.value.cancel().catch(() => {});
    throw new Overtaken();
  };
  const send: Parameters<typeof placeOver>[2] = async (condition, signal) => {
    if (streamed) {
      const entry = await fetch("read", (own) => from.storage.read(key, { signal: own }), signal);
      const options = { ...condition, ...keptOf(entry, version), size: entry.size };
      const sent = await sendShare(to, entry.value, signal, (share, own) => to.storage.write(key, share, { ...options, signal: own }));
      copied = true;
      return sent;
    }
    const entry = await fetch("getEntry", (own) => from.storage.getEntry(key, { signal: own }), signal);
    const sent = await to.storage.put(key, entry.value, { ...condition, ...keptOf(entry, version), signal });
    copied = true;
    return sent;
  };
  try {
    await placeOver(place, known, send, streamed ? "write" : "put");
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
  }
  return copied;
}

/** What a copy keeps beside the value. */
function keptOf({ metadata, expiresAt }: EntryInfo, version: string): Pick<PutOptions, "metadata" | "expiresAt"> {
  return { metadata: { ...metadata, [versionName]: version }, expiresAt };
}

/** The value was replaced while it was on its way; whoever replaced it brings the new one. */
class Overtaken extends Error {}

function removeOn(replica: Replica, job: Job, deleted: string): Promise<boolean> {
  return replica.inOrder(job.key, (landing) => removeOlder(placeOn(replica, job, deleted, landing)));
}

function damage({ name }: Replica): StorageError {
  return new StorageError("corrupt", `What the replica "${name}" has cannot be read, and no other replica has it.`, {
    storage: "composite",
  });
}

function placeOn(replica: Replica, { key, tombstoneKey, signal }: Job, version: string, landing: Landing): Place {
  return { replica, key, tombstoneKey, version, signal, landing, conditional: replica.isConditional };
}

const canStream = ({ capabilities }: ByteStorage): boolean => capabilities.streams !== "none";

/** Whether a stream can have the condition that keeps it from landing on something newer. */
function keepsOrder({ storage, isConditional }: Replica): boolean {
  return !isConditional || storage.capabilities.conditions.includes("stream");
}
