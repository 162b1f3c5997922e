import type { Bytes, CallOptions, Clock, Entry, EntryInfo, OperationName, ReadOptions } from "@stowage/core";
import { otherVersion } from "@stowage/core";
import type { Answer, Manner, Question } from "./asking.ts";
import { ask, askForOne } from "./asking.ts";
import type { Quorum } from "./options.ts";
import { readQuorum } from "./quorum.ts";
import type { Repairs } from "./repairs.ts";
import type { Replica } from "./replica.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import type { VersionClock } from "./versions.ts";
import { oldest, versionOf } from "./versions.ts";

export interface ReadSettings {
  readonly replicas: readonly Replica[];
  readonly read: "first" | "fastest" | Quorum;
  readonly hedgeDelay: number;
  readonly readMissing: "stop" | "next";
  readonly promote: boolean;
  readonly readRepair: boolean;
  readonly versions: VersionClock;
  readonly repairs: Repairs;
  readonly timer: Clock;
}

export type StreamEntry = Entry<ReadableStream<Bytes>>;

/** How one kind of read is sent to a replica. */
export interface Fetch<I extends EntryInfo> {
  readonly operation: OperationName;
  readonly key: string;
  readonly send: (replica: Replica, signal: AbortSignal | undefined) => Promise<I | undefined>;
  readonly signal: AbortSignal | undefined;
  readonly discard?: (answer: I) => void;
}

/** Reads from the replicas in the way that the options ask for. Entries are as the replica has them. */
export class Reads {
  readonly stats = { fallbacks: 0, hedges: 0, differences: 0 };
  readonly #settings: ReadSettings;
  readonly manner: Manner;

  constructor(settings: ReadSettings) {
    this.#settings = settings;
    const { replicas, read, hedgeDelay, readMissing, timer } = settings;
    this.manner = {
      replicas,
      hedgeDelay: read === "fastest" ? hedgeDelay : Infinity,
      passMissing: readMissing === "next",
      timer,
      stats: this.stats,
    };
  }

  /** Whether the answer of one replica is taken as it is. */
  get takesOneAnswer(): boolean {
    return !this.manner.passMissing && typeof this.#settings.read === "string";
  }

  /** The answer of one replica, as it is. */
  one<T>(
    operation: OperationName,
    key: string | undefined,
    send: Question<T>["send"],
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    return askForOne({ operation, key, send, signal }, this.manner);
  }

  async get(key: string, options: CallOptions | undefined): Promise<Bytes | undefined> {
    return (await this.getEntry(key, options))?.value;
  }

  getEntry(key: string, options: CallOptions | undefined): Promise<Entry<Bytes> | undefined> {
    return this.#find({
      operation: "getEntry",
      key,
      send: ({ storage }, signal) => storage.getEntry(key, { signal }),
      signal: options?.signal,
    });
  }

  head(key: string, options: CallOptions | undefined): Promise<EntryInfo | undefined> {
    return this.#find({
      operation: "head",
      key,
      send: ({ storage }, signal) => storage.head(key, { signal }),
      signal: options?.signal,
    });
  }

  /** A version that is asked for must be the one that a read finds now; whichever replica answers, it is the same. */
  async read(key: string, { start, end, ifMatch, signal }: ReadOptions): Promise<StreamEntry | undefined> {
    const found = await this.#find<StreamEntry>({
      operation: "read",
      key,
      send: ({ storage }, own) => storage.read(key, { start, end, signal: own }),
      signal,
      discard: cancelStream,
    });
    if (ifMatch === undefined || (found !== undefined && ifMatch !== oldest && versionOf(found) === ifMatch)) return found;
    cancelStream(found);
    throw otherVersion("read", "composite", key);
  }

  async #find<I extends EntryInfo>(fetch: Fetch<I>): Promise<I | undefined> {
    const { read } = this.#settings;
    if (typeof read === "object") return await this.#byQuorum(fetch, read.quorum);
    const answer = await ask(fetch, this.manner);
    const { found, without } = answer;
    if (found === undefined) return undefined;
    this.#settings.versions.observe(versionOf(found));
    return without.length === 0 ? found : await this.#unlessDeleted(fetch, answer);
  }

  async #byQuorum<I extends EntryInfo>(fetch: Fetch<I>, needed: number): Promise<I | undefined> {
    const { readRepair, repairs, versions } = this.#settings;
    const { found, differed } = await readQuorum(fetch, this.manner, needed);
    if (found !== undefined) versions.observe(versionOf(found));
    if (differed) {
      this.stats.differences++;
      if (readRepair) repairs.mendLater(fetch.key);
    }
    return found;
  }

  /** What an earlier replica knows to be deleted is missing, although a later one has not heard of it. */
  async #unlessDeleted<I extends EntryInfo>(fetch: Fetch<I>, { found, replica, without }: Answer<I>): Promise<I | undefined> {
    const { key, signal, discard } = fetch;
    const { promote, repairs } = this.#settings;
    if (found === undefined) return undefined;
    try {
      const tombstoneKey = await tombstoneKeyOf(key);
      const tombstones = await Promise.all(without.map((each) => each.head(tombstoneKey, signal)));
      if (tombstones.some((tombstone) => tombstone !== undefined && versionOf(tombstone) > versionOf(found))) {
        discard?.(found);
        return undefined;
      }
    } catch (error) {
      discard?.(found);
      throw signal?.aborted === true ? signal.reason : error;
    }
    if (promote && fetch.operation !== "head") repairs.promoteLater(key, found, replica, without);
    return found;
  }
}

function cancelStream(entry: StreamEntry | undefined): void {
  entry?.value.cancel().catch(() => {});
}
