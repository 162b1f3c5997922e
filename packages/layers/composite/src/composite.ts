import type {
  AnyStorage,
  BatchOptions,
  Bytes,
  ByteSource,
  ByteStorage,
  CallOptions,
  Capabilities,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import { BaseByteStorage, Lifecycle, refuseAbility, writing } from "@stowage/core";
import { Background } from "./background.ts";
import type { Health } from "./breaker.ts";
import { closeTimeout, JoinedReplicas } from "./joined-replicas.ts";
import type { CompositeOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import { Reads } from "./reads.ts";
import type { StreamEntry } from "./reads.ts";
import type { RepairOptions, RepairReport } from "./repairs.ts";
import { Repairs } from "./repairs.ts";
import { Replica } from "./replica.ts";
import { VersionClock } from "./versions.ts";
import { Writes } from "./writes.ts";

/** How one replica does. */
export interface ReplicaStats {
  readonly name: string;
  readonly health: Health;
  /** Calls that were sent to it. */
  readonly calls: number;
  /** Calls that failed for a passing reason, or because it is closed. */
  readonly failures: number;
  /** Those among them that did not end in time. */
  readonly timeouts: number;
}

/** What a composite has done since it was made. */
export interface CompositeStats {
  readonly replicas: readonly ReplicaStats[];
  /** Writes that reached fewer replicas than were asked for. */
  readonly partial: number;
  /** Reads that went on to another replica, because one failed. */
  readonly fallbacks: number;
  /** Reads that asked another replica, because one was slow. */
  readonly hedges: number;
  /** Reads by a quorum that found different versions. */
  readonly differences: number;
  /** Values that were copied to an earlier replica. */
  readonly promoted: number;
  /** Values and tombstones that a read brought up to date. */
  readonly repaired: number;
  /** Copies that were left out, because too much went on or the replica failed. */
  readonly skipped: number;
}

/** Copies in the background at the most. */
const backgroundLimit = 32;

/**
 * Several storages as one: each write goes to all of them, a read to one or to a quorum, and `repair()` brings together
 * what failures have torn apart.
 *
 * Place in the stack: at the bottom, each replica a stack of its own; the codec stands above.
 *
 * ```ts
 * const files = composite({ replicas: { disk, attic, s3 }, write: { quorum: 2 }, read: { quorum: 2 } });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function composite(options: CompositeOptions): ByteStorage {
  return new CompositeStorage(settle(options));
}

/** What `composite()` makes, with `repair()` and `stats()`; `findLayer(storage, CompositeStorage)` finds it. */
export class CompositeStorage extends BaseByteStorage {
  readonly name = "composite";
  override readonly inner: readonly AnyStorage[];
  readonly capabilities: Capabilities;
  /** By which entries expire and versions are made. */
  readonly clock: Clock;
  readonly #settings: Settings;
  readonly #replicas: readonly Replica[];
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #repairs: Repairs;
  readonly #joined: JoinedReplicas;
  /** Counts each call once, with all its steps. */
  readonly #lifecycle: Lifecycle;

  constructor(settings: Settings) {
    super();
    this.#settings = settings;
    this.inner = settings.replicas.map(({ storage }) => storage);
    this.clock = settings.clock;
    this.#replicas = settings.replicas.map(({ name, storage }, index) => new Replica(index, name, storage, settings));
    const { singleWriter, clock, timer, tombstoneGrace } = settings;
    const background = new Background(backgroundLimit);
    const parts = { replicas: this.#replicas, versions: new VersionClock(clock), background, clock, timer };
    this.#repairs = new Repairs({ ...parts, tombstoneGrace });
    this.#writes = new Writes({ ...parts, needed: settings.write, singleWriter });
    this.#reads = new Reads({ ...settings, ...parts, repairs: this.#repairs });
    this.#joined = new JoinedReplicas({ ...parts, settings, reads: this.#reads, writes: this.#writes });
    this.capabilities = this.#joined.capabilities;
    this.#lifecycle = new Lifecycle({ name: this.name, clock: timer, closeTimeout, release: () => this.#joined.close() });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#lifecycle.during("get", () => this.#joined.get(key, options));
  }

  getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#lifecycle.during("getEntry", () => this.#joined.getEntry(key, options));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#lifecycle.during("getEntries", () => this.#joined.getEntries(keys, options));
  }

  head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#lifecycle.during("head", () => this.#joined.head(key, options));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#lifecycle.during("has", () => this.#joined.has(key, options));
  }

  list(options?: ListOptions): Promise<Page> {
    return this.#lifecycle.during("list", () => this.#joined.list(options));
  }

  put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#lifecycle.during("put", () => this.#joined.put(key, value, options));
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#lifecycle.during("delete", () => this.#joined.delete(key, options));
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", () => this.#joined.batch(operations, options));
  }

  /** Asks enough replicas what they have that every entry is found, although one of them may lack it. */
  override clear(options?: ClearOptions): Promise<void> {
    return this.#lifecycle.during("clear", () => this.#joined.clear(options));
  }

  override read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    return this.#lifecycle.during("read", () => this.#joined.read(key, options));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return writing(source, () => {
      this.#lifecycle.check("write");
      return this.#lifecycle.during("write", () => this.#joined.write(key, source, options));
    });
  }

  /** Waits for what acknowledged writes have left to do, then flushes as many replicas as a write must reach. */
  override flush(options?: CallOptions): Promise<void> {
    return this.#lifecycle.during("flush", () => this.#joined.flush(options));
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  /**
   * Brings all replicas together: the newest of each key wins, and what was deleted stays deleted. Nothing is held but a
   * few keys, no more than `rate` of them are looked at in a second, and it can go on where an earlier one ended.
   *
   * Rejects where an option makes no sense and with the reason of its signal. What else goes wrong is in the report.
   */
  repair(options: RepairOptions = {}): Promise<RepairReport> {
    return this.#lifecycle.run("repair", () => {
      if (this.capabilities.list === "none") refuseAbility("repair, which needs lists", this, "list");
      return this.#repairs.repair(options);
    });
  }

  stats(): CompositeStats {
    const replicas = this.#replicas.map(({ name, breaker, stats }) => ({ name, health: breaker.health, ...stats }));
    return { replicas, ...this.#writes.stats, ...this.#reads.stats, ...this.#repairs.stats };
  }

  override details(): Details {
    const { replicas, write, read, hedgeDelay, readMissing, promote, readRepair, singleWriter, timeout } = this.#settings;
    const { replicas: each, ...counters } = this.stats();
    const stats: Record<string, number> = { ...counters };
    for (const { name, health, ...counts } of each) {
      stats[`${name}.up`] = health === "up" ? 1 : 0;
      for (const [counter, count] of Object.entries(counts)) stats[`${name}.${counter}`] = count;
    }
    const options = {
      replicas: replicas.map(({ name }) => name),
      write: write === replicas.length ? "all" : { quorum: write },
      read,
      ...(read === "fastest" && { hedgeDelay }),
      ...(readMissing === "next" && { readMissing, promote }),
      ...(readRepair && { readRepair }),
      ...(singleWriter && { singleWriter }),
      timeout,
    };
    return { options, stats };
  }
}
