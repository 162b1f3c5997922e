import type { EntryInfo, ListOptions, Page } from "@stowage/core";
import { compareKeys, scan, StorageError } from "@stowage/core";
import type { Replica } from "./replica.ts";

/** A key that at least one replica has, with what is known of it there. */
export interface Seen {
  readonly key: string;
  readonly infos: ReadonlyMap<Replica, EntryInfo>;
}

/** Entries on one page of each replica, which is all that is held of them. */
const pageSize = 200;

/**
 * Every key of any replica, tombstones included, each once and in order where all lists are ordered; else the keys of one
 * replica after the other. A replica whose list fails is left out from there on, and told to `onLost`.
 */
export async function* walk(
  replicas: readonly Replica[],
  options: { readonly startAfter?: string | undefined; readonly signal?: AbortSignal | undefined },
  onLost: (replica: Replica, error: unknown) => void,
): AsyncGenerator<Seen, void, void> {
  const ordered = replicas.every(({ storage }) => storage.capabilities.list === "ordered");
  if (ordered) return yield* merged(replicas, options, onLost);
  for (const replica of replicas) yield* merged([replica], options, onLost);
}

interface Head {
  readonly replica: Replica;
  readonly entries: AsyncGenerator<EntryInfo, void, void>;
  entry: EntryInfo;
}

async function* merged(
  replicas: readonly Replica[],
  options: { readonly startAfter?: string | undefined; readonly signal?: AbortSignal | undefined },
  onLost: (replica: Replica, error: unknown) => void,
): AsyncGenerator<Seen, void, void> {
  const step = async (replica: Replica, entries: AsyncGenerator<EntryInfo, void, void>): Promise<Head | undefined> => {
    try {
      const next = await entries.next();
      return next.done === true ? undefined : { replica, entries, entry: next.value };
    } catch (error) {
      options.signal?.throwIfAborted();
      onLost(replica, error);
      return undefined;
    }
  };
  const open = (replica: Replica): Promise<Head | undefined> => {
    const send = (page: ListOptions): Promise<Page> =>
      replica.call("list", (signal) => replica.storage.list({ ...page, signal }), options.signal);
    const list = (page: ListOptions): Promise<Page> =>
      send(page).catch((error: unknown) => {
        if (isOfReplica(error)) throw error;
        return send({ ...page, info: false }); // one entry that cannot be read hides no other; its key is enough to look into it
      });
    return step(replica, scan({ list } as Parameters<typeof scan>[0], { startAfter: options.startAfter, limit: pageSize, info: true }));
  };
  let heads = (await Promise.all(replicas.map(open))).filter((head) => head !== undefined);
  while (heads.length > 0) {
    const key = heads.reduce((first, { entry }) => (compareKeys(entry.key, first) < 0 ? entry.key : first), heads[0]!.entry.key);
    const here = heads.filter(({ entry }) => entry.key === key);
    yield { key, infos: new Map(here.map(({ replica, entry }) => [replica, entry])) };
    const moved = await Promise.all(here.map(({ replica, entries }) => step(replica, entries)));
    const others = heads.filter((head) => !here.includes(head));
    heads = [...others, ...moved.filter((head) => head !== undefined)];
  }
}

/** Whether an error says that the replica cannot be listed now, and not only that an entry cannot be read. */
function isOfReplica(error: unknown): boolean {
  return !StorageError.is(error) || error.retryable || error.code === "closed";
}
