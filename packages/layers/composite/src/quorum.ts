import type { EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Missed } from "./outcomes.ts";
import { noAnswer } from "./outcomes.ts";
import type { Fetch } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { mayAskAnother } from "./replica-call.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import { versionOf } from "./versions.ts";

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

/** The newest of so many answers. One replica is asked for the entry, the others only for its version. */
export async function readQuorum<I extends EntryInfo>(
  fetch: Fetch<I>,
  replicas: readonly Replica[],
  needed: number,
): Promise<QuorumAnswer<I>> {
  for (let round = 1; round <= rounds; round++) {
    const replies = await collect(fetch, replicas, needed);
    const [first] = replies;
    const sent = replies.find(({ entry }) => entry !== undefined)?.entry;
    const keep = (found: I | undefined, differed: boolean): QuorumAnswer<I> => {
      if (sent !== undefined && sent !== found) fetch.discard?.(sent);
      return { found, differed };
    };
    const agreed = replies.every(({ info }) => versionIn(info) === versionIn(first?.info));
    if (agreed && (first?.info === undefined || sent !== undefined)) return keep(sent, false);
    const newest = await findNewest(fetch, replies).catch((error: unknown) => {
      keep(undefined, true);
      throw error;
    });
    if (newest === undefined) return keep(undefined, true);
    const version = versionOf(newest.info!);
    if (sent !== undefined && versionOf(sent) === version) return keep(sent, true);
    keep(undefined, true);
    const found = await newest.replica.call(fetch.operation, (signal) => fetch.send(newest.replica, signal), fetch.signal);
    if (found !== undefined && versionOf(found) >= version) return { found, differed: !agreed };
    if (found !== undefined) fetch.discard?.(found);
  }
  throw new StorageError("conflict", "The entry was replaced again and again while it was read.", {
    operation: fetch.operation,
    key: fetch.key,
    storage: "composite",
  });
}

/** Answers of so many replicas; where one cannot answer, another is asked. */
async function collect<I extends EntryInfo>(fetch: Fetch<I>, replicas: readonly Replica[], needed: number): Promise<Reply<I>[]> {
  const { key, signal } = fetch;
  const replies: Reply<I>[] = [];
  const missed: Missed[] = [];
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

/** The reply with the newest version, unless a delete that one of them knows of is newer. */
async function findNewest<I extends EntryInfo>({ key, signal }: Fetch<I>, replies: readonly Reply<I>[]): Promise<Reply<I> | undefined> {
  let newest: Reply<I> | undefined;
  for (const reply of replies) {
    if (reply.info !== undefined && (newest?.info === undefined || versionOf(reply.info) > versionOf(newest.info))) newest = reply;
  }
  const version = newest?.info && versionOf(newest.info);
  if (version === undefined) return undefined;
  const tombstoneKey = await tombstoneKeyOf(key);
  const tombstones = await Promise.all(replies.map(({ replica }) => replica.head(tombstoneKey, signal)));
  const isDeleted = tombstones.some((tombstone) => tombstone !== undefined && versionOf(tombstone) > version);
  return isDeleted ? undefined : newest;
}

const versionIn = (info: EntryInfo | undefined): string | undefined => info && versionOf(info);
