import type { Bytes, Clock, Entry, EntryInfo } from "@stowage/core";
import { copyBytes, StorageError } from "@stowage/core";
import type { Background } from "./background.ts";
import { mend } from "./mending.ts";
import { promote } from "./promoting.ts";
import type { Replica } from "./replica.ts";
import { isDamage } from "./replica-call.ts";
import { isTombstoneKey, keyOfTombstone } from "./tombstones.ts";
import type { VersionClock } from "./versions.ts";
import { oldest, timeOf, versionOf } from "./versions.ts";
import { walk } from "./walking.ts";
import type { Seen } from "./walking.ts";

export interface RepairOptions {
  /** Ends the repair with its reason; `onProgress` told how far it came. */
  readonly signal?: AbortSignal | undefined;
  /** Keys that are looked at in a second at the most. @default 1000 */
  readonly rate?: number | undefined;
  /** Goes on after this position, which an earlier repair told. Needs ordered lists. @default from the beginning */
  readonly startAfter?: string | undefined;
  /** Told after every few keys. What it throws ends the repair. */
  readonly onProgress?: ((report: RepairReport) => void) | undefined;
}

/** What a repair has done. */
export interface RepairReport {
  /** Keys that were looked at, tombstones included. */
  readonly checked: number;
  /** Values and tombstones that were copied to a replica. */
  readonly copied: number;
  /** Values that were removed from a replica, because a delete is newer. */
  readonly deleted: number;
  /** Tombstones that every replica had for long enough, and that were dropped. */
  readonly dropped: number;
  /** Keys on which something went wrong; the next repair tries them again. */
  readonly failed: number;
  /** The first thing that went wrong. */
  readonly error?: unknown;
  /** Replicas that could not be listed to the end. */
  readonly unreachable: readonly string[];
  /** Where to go on: all keys up to this one were looked at. Absent where lists are not ordered. */
  readonly position?: string;
  /** Whether all was looked at and nothing went wrong: the replicas are equal, but for what was written meanwhile. */
  readonly complete: boolean;
}

export interface RepairSettings {
  readonly replicas: readonly Replica[];
  readonly versions: VersionClock;
  readonly background: Background;
  readonly tombstoneGrace: number;
  readonly clock: Clock;
  readonly timer: Clock;
}

/** Keys that are looked at together. */
const step = 16;

/** Brings replicas together: all of them by `repair`, one key after a read saw that they differ, one value for earlier replicas. */
export class Repairs {
  readonly stats = { promoted: 0, repaired: 0, skipped: 0 };
  readonly #settings: RepairSettings;

  constructor(settings: RepairSettings) {
    this.#settings = settings;
  }

  /** Mends one key in the background, unless too much goes on there. */
  mendLater(key: string): void {
    const { replicas, versions, background } = this.#settings;
    const begun = background.tryBegin(async (signal) => {
      const { copied, deleted } = await mend(key, replicas, versions, signal);
      this.stats.repaired += copied + deleted;
    });
    if (!begun) this.stats.skipped++;
  }

  /** Copies what was found to replicas that had nothing, in the background, unless too much goes on there. */
  promoteLater(key: string, found: EntryInfo, from: Replica, to: readonly Replica[]): void {
    const value = "value" in found && found.value instanceof Uint8Array ? copyBytes(found.value) : undefined;
    const entry = value === undefined ? undefined : { ...found, value };
    const begun = this.#settings.background.tryBegin((signal) =>
      Promise.all(to.map((replica) => this.#promote(key, entry, from, replica, signal))),
    );
    if (!begun) this.stats.skipped++;
  }

  async #promote(key: string, found: Entry<Bytes> | undefined, from: Replica, to: Replica, signal: AbortSignal): Promise<void> {
    const promoted = await promote(key, found, from, to, signal).catch(() => false);
    if (promoted) this.stats.promoted++;
    else this.stats.skipped++;
  }

  async repair({ signal, rate = 1000, startAfter, onProgress }: RepairOptions): Promise<RepairReport> {
    if (!(Number.isFinite(rate) && rate > 0)) throw new StorageError("invalid-option", "rate must be a number of keys above 0.", named);
    const { replicas, timer } = this.#settings;
    const ordered = replicas.every(({ storage }) => storage.capabilities.list === "ordered");
    if (startAfter !== undefined && !ordered)
      throw new StorageError("unsupported", "A repair can only go on where the lists of all replicas are ordered.", named);
    const tally = { checked: 0, copied: 0, deleted: 0, dropped: 0, failed: 0 };
    const lost = new Set<Replica>();
    let error: unknown;
    let position = startAfter;
    const note = (reason: unknown): void => {
      error ??= reason;
    };
    const report = (complete: boolean): RepairReport => ({
      ...tally,
      ...(error !== undefined && { error }),
      unreachable: [...lost].map(({ name }) => name),
      ...(ordered && position !== undefined && { position }),
      complete: complete && error === undefined && lost.size === 0,
    });
    const look = async (seen: Seen): Promise<void> => {
      try {
        const done = await this.#mendSeen(seen, lost.size === 0, signal);
        tally.copied += done.copied;
        tally.deleted += done.deleted;
        if (done.dropped) tally.dropped++;
        if (done.complete) return;
        note(done.error);
      } catch (reason) {
        signal?.throwIfAborted();
        note(reason);
      }
      tally.failed++;
    };
    let batch: Seen[] = [];
    const finish = async (): Promise<void> => {
      await Promise.all(batch.map(look));
      tally.checked += batch.length;
      position = batch.at(-1)?.key ?? position;
      onProgress?.(report(false));
      await timer.sleep((batch.length / rate) * 1000, signal);
      batch = [];
    };
    signal?.throwIfAborted();
    const onLost = (replica: Replica, reason: unknown): void => {
      lost.add(replica);
      note(reason);
    };
    for await (const seen of walk(replicas, { startAfter, signal }, onLost)) {
      batch.push(seen);
      if (batch.length === step) await finish();
    }
    if (batch.length > 0) await finish();
    return report(true);
  }

  async #mendSeen(seen: Seen, mayDrop: boolean, signal: AbortSignal | undefined): Promise<Done> {
    if (isTombstoneKey(seen.key)) return await this.#mendTombstone(seen, mayDrop, signal);
    const { replicas, versions } = this.#settings;
    const isEqual = replicas.every((replica) => {
      const info = seen.infos.get(replica);
      return info !== undefined && versionOf(info) !== oldest && versionOf(info) === versionOf(seen.infos.get(replicas[0]!)!);
    });
    if (isEqual) return nothingToDo;
    return { ...(await mend(seen.key, replicas, versions, signal)), dropped: false };
  }

  async #mendTombstone({ key: tombstoneKey, infos }: Seen, mayDrop: boolean, signal: AbortSignal | undefined): Promise<Done> {
    const { replicas, versions } = this.#settings;
    const holder = await this.#readTombstone(tombstoneKey, infos, signal);
    if (holder === undefined) return nothingToDo; // gone meanwhile
    const mended = await mend(holder.key, replicas, versions, signal);
    const isSettled = mended.complete && mended.copied === 0 && mended.deleted === 0;
    if (!isSettled || !mayDrop || !this.#isOld(holder.version)) return { ...mended, dropped: false };
    return { ...mended, dropped: await this.#drop(tombstoneKey, holder.version, signal) };
  }

  async #readTombstone(
    tombstoneKey: string,
    infos: Seen["infos"],
    signal: AbortSignal | undefined,
  ): Promise<{ readonly key: string; readonly version: string } | undefined> {
    let damage: unknown;
    for (const replica of infos.keys()) {
      const reading = replica.call("getEntry", (own) => replica.storage.getEntry(tombstoneKey, { signal: own }), signal);
      const entry = await reading.catch((error: unknown) => {
        if (!isDamage(error)) throw error;
        damage = error; // another replica may have it whole
      });
      const key = entry && (await keyOfTombstone(tombstoneKey, entry.value));
      if (entry !== undefined && key !== undefined) return { key, version: versionOf(entry) };
      if (entry !== undefined) throw new StorageError("corrupt", `A tombstone on the replica "${replica.name}" is damaged.`, named);
    }
    if (damage !== undefined) throw damage;
    return undefined;
  }

  #isOld(version: string): boolean {
    const { clock, tombstoneGrace } = this.#settings;
    return clock.now() - timeOf(version) >= tombstoneGrace;
  }

  /** Drops a tombstone that all replicas have. Where one fails, the next repair brings it back to the others, and tries again. */
  async #drop(tombstoneKey: string, version: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { replicas } = this.#settings;
    const heads = await Promise.all(replicas.map((replica) => replica.head(tombstoneKey, signal)));
    if (!heads.every((head) => head !== undefined && versionOf(head) === version)) return false;
    await Promise.all(
      replicas.map(async (replica, index) => {
        const ifMatch = replica.isConditional ? heads[index]!.etag : undefined;
        await replica.call("delete", (own) => replica.storage.delete(tombstoneKey, { ifMatch, signal: own }), signal);
      }),
    );
    return true;
  }
}

interface Done {
  readonly copied: number;
  readonly deleted: number;
  readonly dropped: boolean;
  readonly complete: boolean;
  readonly error?: unknown;
}

const nothingToDo: Done = { copied: 0, deleted: 0, dropped: false, complete: true };
const named = { storage: "composite", operation: "repair" } as const;
