import type { Bytes, ByteSource, Clock, DeleteOptions, EntryInfo, Metadata, PutOptions, WriteOptions } from "@stowage/core";
import { copyBytes, fanOut, StorageError, untilAborted } from "@stowage/core";
import type { Background } from "./background.ts";
import type { Demand } from "./outcomes.ts";
import { gather, GivenUp } from "./outcomes.ts";
import type { Condition, Place } from "./placing.ts";
import { afterEffect, bury, placeOver, removeOlder } from "./placing.ts";
import type { Glance, Landing, Look, Replica } from "./replica.ts";
import { deletedVersion, valueVersion } from "./replica.ts";
import { sendShare, WatchedSource } from "./streaming.ts";
import { tombstoneKeyOf } from "./tombstones.ts";
import type { VersionClock } from "./versions.ts";
import { versionName, versionOf } from "./versions.ts";

export interface WriteSettings {
  readonly replicas: readonly Replica[];
  /** Replicas that a write must reach. */
  readonly needed: number;
  readonly singleWriter: boolean;
  readonly versions: VersionClock;
  readonly background: Background;
  readonly clock: Clock;
}

/** What is written to every replica. */
interface Written {
  readonly operation: "put" | "write";
  readonly key: string;
  readonly metadata: Metadata | undefined;
  readonly expiresAt: number | undefined;
  /** Sends it to one replica. */
  readonly send: (replica: Replica, metadata: Metadata, condition: Condition, signal: AbortSignal | undefined) => Promise<EntryInfo>;
}

/** One write, as each replica gets it. */
interface Versioned {
  readonly key: string;
  readonly tombstoneKey: string;
  readonly version: string;
  readonly signal: AbortSignal | undefined;
}

/** Writes to all replicas at once, with a version, and counts who has it. */
export class Writes {
  readonly stats = { partial: 0 };
  readonly #settings: WriteSettings;

  constructor(settings: WriteSettings) {
    this.#settings = settings;
  }

  put(key: string, value: Uint8Array, options: PutOptions | undefined): Promise<EntryInfo> {
    const { metadata, expiresAt, signal } = options ?? {};
    if (this.#isPast(expiresAt)) return this.#instead(key, value.byteLength, options);
    // A replica that is given up may read its value after the call has ended, when it is the caller's again.
    const kept = copyBytes(value);
    return this.#whileWanted(signal, (own) =>
      this.#write(
        {
          operation: "put",
          key,
          metadata,
          expiresAt,
          send: (replica, versioned, condition, each) =>
            replica.storage.put(key, kept, { ...condition, metadata: versioned, expiresAt, signal: each }),
        },
        own,
      ),
    );
  }

  /** Every replica takes the chunks at the pace of the slowest; nothing is kept of them. */
  async write(key: string, source: ByteSource, options: WriteOptions | undefined): Promise<EntryInfo> {
    const { metadata, expiresAt, size, signal } = options ?? {};
    const watched = new WatchedSource(source);
    if (this.#isPast(expiresAt)) {
      void watched.return();
      return await this.#instead(key, undefined, options);
    }
    const { replicas } = this.#settings;
    const shares = new Map<Replica, ReadableStream<Bytes>>();
    const hopeless = new AbortController();
    for (const [index, share] of fanOut(watched, replicas.length).entries()) shares.set(replicas[index]!, share);
    const send: Written["send"] = (replica, versioned, condition, each) => {
      const share = shares.get(replica)!;
      shares.delete(replica);
      return sendShare(replica, share, each, (paced, own) =>
        replica.storage.write(key, paced, { ...condition, metadata: versioned, expiresAt, size, signal: own }),
      );
    };
    // The share of a replica that takes none would keep the others waiting.
    const onEnd = (replica: Replica): void => void shares.get(replica)?.cancel().catch(ignore);
    try {
      return await this.#whileWanted(signal, (own) => {
        const both = own === undefined ? hopeless.signal : AbortSignal.any([own, hopeless.signal]);
        return this.#write({ operation: "write", key, metadata, expiresAt, send }, both, {
          onEnd,
          onHopeless: () => hopeless.abort(new GivenUp("write")),
        });
      });
    } catch (error) {
      hopeless.abort(error);
      for (const replica of replicas) onEnd(replica);
      signal?.throwIfAborted();
      throw watched.failure === undefined ? error : watched.failure.error;
    }
  }

  /** Puts a tombstone, then deletes the value: what is missing may be older than what is there, what was deleted is not. */
  delete(key: string, options: DeleteOptions | undefined): Promise<void> {
    return this.#whileWanted(options?.signal, async (signal) => {
      const { replicas, versions } = this.#settings;
      const tombstoneKey = await tombstoneKeyOf(key);
      const looks = this.#look(key, tombstoneKey, signal);
      if (looks !== undefined) {
        const known = await this.#learn("delete", key, looks);
        if (known.every(isNothing) && (await everywhere(looks, isNothing))) return;
      }
      const versioned: Versioned = { key, tombstoneKey, version: versions.next(), signal };
      await this.#gather(
        "delete",
        key,
        replicas.map((replica, index) => this.#deleteOn(replica, looks?.[index], versioned)),
      );
    });
  }

  async #write(
    written: Written,
    signal: AbortSignal | undefined,
    on: { readonly onEnd?: (replica: Replica) => void; readonly onHopeless?: () => void } = {},
  ): Promise<EntryInfo> {
    const { operation, key, expiresAt, metadata } = written;
    const { replicas, versions, singleWriter } = this.#settings;
    const tombstoneKey = singleWriter && expiresAt === undefined ? "" : await tombstoneKeyOf(key);
    const looks = this.#look(key, tombstoneKey, signal);
    if (looks !== undefined) await this.#learn(operation, key, looks);
    const version = versions.next();
    const versioned: Versioned = { key, tombstoneKey, version, signal };
    const attempts = replicas.map((replica, index) => {
      const attempt = this.#writeOn(replica, looks?.[index], versioned, written);
      if (on.onEnd !== undefined) {
        const onEnd = (): void => on.onEnd?.(replica);
        attempt.then(onEnd, onEnd);
      }
      return attempt;
    });
    const infos = await this.#gather(operation, key, attempts, on.onHopeless);
    const info = infos.find((each) => each !== undefined);
    return {
      ...(info ?? { key, ...(expiresAt !== undefined && { expiresAt }) }),
      metadata: { ...(info?.metadata ?? metadata), [versionName]: version },
    };
  }

  #writeOn(replica: Replica, look: Promise<Look> | undefined, versioned: Versioned, written: Written): Promise<EntryInfo | undefined> {
    const { key, version, tombstoneKey, signal } = versioned;
    const { operation, expiresAt } = written;
    const metadata = { ...written.metadata, [versionName]: version };
    const write = async (landing: Landing, known: Look | undefined): Promise<EntryInfo | undefined> => {
      if (known !== undefined && deletedVersion(known) > version) return undefined; // a newer delete has overtaken it
      const place = this.#place(replica, versioned, landing, operation);
      const send: Parameters<typeof placeOver>[2] = (condition, own) => written.send(replica, metadata, condition, own);
      const info = await placeOver(place, known?.value, send, operation);
      // What it replaces must stay dead when it has expired, also where it was never replaced.
      if (expiresAt !== undefined) await afterEffect(bury({ ...place, conditional: this.#isConditional(replica) }, known?.tombstone));
      return info;
    };
    if (operation === "put" || !this.#isConditional(replica, "stream")) {
      return replica.inOrder(key, async (landing) => await write(landing, await look));
    }
    return replica.inOrderOfStreams(key, async (waited) => {
      await look;
      const info = await write(passOn, waited ? await replica.look(key, tombstoneKey, signal) : await look);
      await afterEffect(this.#removeIfDead(replica, versioned));
      return info;
    });
  }

  /** A stream takes its time, in which its key may have been deleted. */
  async #removeIfDead(replica: Replica, versioned: Versioned): Promise<void> {
    const { info: tombstone } = await replica.glance(versioned.tombstoneKey, versioned.signal);
    if (tombstone === undefined || versionOf(tombstone) <= versioned.version) return;
    await removeOlder({ ...this.#place(replica, versioned, passOn), version: versionOf(tombstone) });
  }

  #deleteOn(replica: Replica, look: Promise<Look> | undefined, versioned: Versioned): Promise<void> {
    return replica.inOrder(versioned.key, async (landing) => {
      const known = await look;
      const place = this.#place(replica, versioned, landing);
      await bury(place, known?.tombstone);
      await afterEffect(removeOlder(place));
    });
  }

  #place(replica: Replica, versioned: Versioned, landing: Landing, operation: "put" | "write" = "put"): Place {
    const conditional = this.#isConditional(replica, operation === "write" ? "stream" : undefined);
    return { ...versioned, replica, landing, conditional };
  }

  #isConditional({ isConditional, storage }: Replica, also?: "stream"): boolean {
    return !this.#settings.singleWriter && isConditional && (also === undefined || storage.capabilities.conditions.includes(also));
  }

  /** Asks every replica what it has; nothing where nobody else writes. */
  #look(key: string, tombstoneKey: string, signal: AbortSignal | undefined): Promise<Look>[] | undefined {
    const { replicas, singleWriter, versions } = this.#settings;
    if (singleWriter) return undefined;
    return replicas.map((replica) => {
      const look = replica.look(key, tombstoneKey, signal);
      look.then((known) => {
        versions.observe(valueVersion(known) ?? "");
        versions.observe(deletedVersion(known));
      }, ignore);
      return look;
    });
  }

  /**
   * Waits for so many answers that one of them knows of every write that was acknowledged. Where damage leaves too few, but
   * every replica has answered, there is no more to learn: what nobody can read is written over.
   */
  #learn(operation: "put" | "write" | "delete", key: string, looks: readonly Promise<Look>[]): Promise<Look[]> {
    const { replicas, needed } = this.#settings;
    const demand: Demand = { step: "ask", operation, key, replicas, needed: replicas.length - needed + 1 };
    const told = looks.map((look) => look.then(readable));
    return this.#counted(gather(demand, told).catch((error: unknown) => allOr(error, looks)));
  }

  async #gather<T>(
    operation: "put" | "write" | "delete",
    key: string,
    attempts: readonly Promise<T>[],
    onHopeless?: () => void,
  ): Promise<T[]> {
    const { replicas, needed, background } = this.#settings;
    const demand: Demand = { step: "write", operation, key, replicas, needed };
    const answers = await this.#counted(gather(demand, attempts, onHopeless));
    if (needed < replicas.length) background.follow(Promise.allSettled(attempts));
    return answers;
  }

  /**
   * Runs a call under a signal of its own, which the caller's ends as long as the call runs: what goes on afterwards, because
   * enough replicas had answered, is no longer the caller's to end.
   */
  #whileWanted<T>(caller: AbortSignal | undefined, work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
    if (caller === undefined) return work(undefined);
    const control = new AbortController();
    const abort = (): void => control.abort(caller.reason);
    caller.addEventListener("abort", abort, { once: true });
    const running = work(control.signal);
    return untilAborted(running, caller).finally(() => {
      caller.removeEventListener("abort", abort);
      if (caller.aborted) this.#settings.background.follow(running);
    });
  }

  async #counted<T>(gathered: Promise<T>): Promise<T> {
    try {
      return await gathered;
    } catch (error) {
      if (StorageError.is(error, "partial")) this.stats.partial++;
      throw error;
    }
  }

  #isPast(expiresAt: number | undefined): boolean {
    return expiresAt !== undefined && expiresAt <= this.#settings.clock.now();
  }

  /** What is put with an expiry in the past is deleted. */
  async #instead(key: string, size: number | undefined, options: PutOptions | undefined): Promise<EntryInfo> {
    await this.delete(key, { signal: options?.signal });
    return { key, ...(size !== undefined && { size }), ...(options?.expiresAt !== undefined && { expiresAt: options.expiresAt }) };
  }
}

function isNothing({ value, tombstone }: Look): boolean {
  return value.info === undefined && tombstone.info === undefined && damageOf(value, tombstone) === undefined;
}

const damageOf = (value: Glance, tombstone: Glance): StorageError | undefined => value.damage ?? tombstone.damage;

/** A look that tells the versions there; what is damaged has one that nobody knows. */
function readable(look: Look): Look {
  const damage = damageOf(look.value, look.tombstone);
  if (damage !== undefined) throw damage;
  return look;
}

/** All that was looked at, where all could be; else the error. */
async function allOr(error: unknown, looks: readonly Promise<Look>[]): Promise<Look[]> {
  return await Promise.all(looks).catch(() => {
    throw error;
  });
}

async function everywhere(looks: readonly Promise<Look>[], holds: (look: Look) => boolean): Promise<boolean> {
  const ended = await Promise.allSettled(looks);
  return ended.every((end) => end.status === "fulfilled" && holds(end.value));
}

const passOn: Landing = (sent) => sent;
const ignore = (): void => {};
