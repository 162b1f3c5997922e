import type { EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Manner } from "./asking.ts";
import { askForOne } from "./asking.ts";
import type { Missed } from "./outcomes.ts";
import { noAnswer } from "./outcomes.ts";
import type { Fetch } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { mayAskAnother } from "./replica-call.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import { oldest, versionOf } from "./versions.ts";

/** Reads that found the newest version replaced before they had it, after which it is a conflict. */
const rounds = 4;

/** What one replica answered. */
interface Reply<I> {
  readonly replica: Replica;
  readonly info: EntryInfo | undefined;
  /** The entry itself, from the replica that was asked for it. */
  readonly entry: I | undefined;
}

export interface QuorumAnswer<I> {
  readonly found: I | undefined;
  /** Whether the replicas that were asked have different versions. */
  readonly differed: boolean;
}

/**
 * The newest of so many answers. One replica is asked for the entry, the others only for its version; who tells the newest
 * version and then fails is not the only one that may have the entry.
 */
export async function readQuorum<I extends EntryInfo>(fetch: Fetch<I>, manner: Manner, needed: number): Promise<QuorumAnswer<I>> {
  const missed: Missed[] = [];
  for (let replaced = 0; replaced < rounds;) {
    const replies = await collect(fetch, manner.replicas, needed, missed);
    const sent = replies.find(({ entry }) => entry !== undefined)?.entry;
    const keep = (found: I | undefined, differed: boolean): QuorumAnswer<I> => {
      if (sent !== undefined && sent !== found) fetch.discard?.(sent);
      return { found, differed };
    };
    const version = newestOf(replies);
    const agreed = replies.every(({ info }) => versionIn(info) === version);
    if (version === undefined || (agreed && sent !== undefined)) return keep(sent, false);
    const deleted = await lastDelete(fetch, replies, missed).catch((error: unknown) => {
      keep(undefined, true);
      throw error;
    });
    if (deleted !== undefined && deleted > version) return keep(undefined, true);
    if (deleted !== undefined && sent !== undefined && versionOf(sent) === version) return keep(sent, true);
    keep(undefined, true);
    if (deleted === undefined) continue; // whoever could not tell is among the missed now, and another is asked
    const found = await fetchFrom(fetch, manner, replies, version, missed);
    if (found !== undefined) return { found, differed: !agreed };
    replaced++;
  }
  throw new StorageError("conflict", "The entry was replaced again and again while it was read.", {
    operation: fetch.operation,
    key: fetch.key,
    storage: "composite",
  });
}

/** Answers of so many replicas; where one cannot answer, another is asked. Those that were missed before are left out. */
async function collect<I extends EntryInfo>(
  fetch: Fetch<I>,
  all: readonly Replica[],
  needed: number,
  missed: Missed[],
): Promise<Reply<I>[]> {
  const { key, signal } = fetch;
  const replicas = missed.length === 0 ? all : all.filter((replica) => !isMissed(replica, missed));
  const replies: Reply<I>[] = [];
  let next = 0;
  let refusal: { readonly error: unknown } | undefined;
  const askNext = async (): Promise<void> => {
    while (next < replicas.length) {
      const replica = replicas[next]!;
      const first = next++ === 0;
      try {
        if (!first) replies.push({ replica, info: await replica.head(key, signal), entry: undefined });
        else {
          const entry = await replica.call(fetch.operation, (own) => fetch.send(replica, own), signal);
          replies.push({ replica, info: entry, entry });
        }
        return;
      } catch (error) {
        if (!mayAskAnother(error) || signal?.aborted === true) {
          refusal ??= { error };
          return;
        }
        missed.push({ replica, error });
      }
    }
  };
  await Promise.all(Array.from({ length: needed }, askNext));
  if (refusal === undefined && replies.length >= needed) return replies;
  for (const { entry } of replies) if (entry !== undefined) fetch.discard?.(entry);
  signal?.throwIfAborted();
  throw refusal === undefined ? noAnswer(fetch.operation, key, missed, needed) : refusal.error;
}

/** The newest delete that one of them knows of; nothing where one cannot tell, which is missed then. */
async function lastDelete<I extends EntryInfo>(
  { key, signal }: Fetch<I>,
  replies: readonly Reply<I>[],
  missed: Missed[],
): Promise<string | undefined> {
  const tombstoneKey = await tombstoneKeyOf(key);
  let newest = oldest;
  let isKnown = true;
  await Promise.all(
    replies.map(async ({ replica }) => {
      try {
        const tombstone = await replica.head(tombstoneKey, signal);
        if (tombstone !== undefined && versionOf(tombstone) > newest) newest = versionOf(tombstone);
      } catch (error) {
        if (!mayAskAnother(error) || signal?.aborted === true) throw error;
        missed.push({ replica, error });
        isKnown = false;
      }
    }),
  );
  return isKnown ? newest : undefined;
}

/** The entry of a version, or of a newer one, from whoever has it; nothing where it was replaced meanwhile. */
async function fetchFrom<I extends EntryInfo>(
  fetch: Fetch<I>,
  manner: Manner,
  replies: readonly Reply<I>[],
  version: string,
  missed: readonly Missed[],
): Promise<I | undefined> {
  const holders = replies.filter(({ info }) => versionIn(info) === version).map(({ replica }) => replica);
  const others = manner.replicas.filter((replica) => !isMissed(replica, missed) && replies.every((reply) => reply.replica !== replica));
  const send = async (replica: Replica, signal: AbortSignal | undefined): Promise<I | undefined> => {
    const found = await fetch.send(replica, signal);
    if (found === undefined || versionOf(found) >= version) return found;
    fetch.discard?.(found);
    return undefined;
  };
  return await askForOne({ ...fetch, send }, { ...manner, replicas: [...holders, ...others], passMissing: true });
}

function newestOf(replies: readonly Reply<EntryInfo>[]): string | undefined {
  let newest: string | undefined;
  for (const { info } of replies) {
    const version = versionIn(info);
    if (version !== undefined && (newest === undefined || version > newest)) newest = version;
  }
  return newest;
}

const isMissed = (replica: Replica, missed: readonly Missed[]): boolean => missed.some((each) => each.replica === replica);

const versionIn = (info: EntryInfo | undefined): string | undefined => info && versionOf(info);
