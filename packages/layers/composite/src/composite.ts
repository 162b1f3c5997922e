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
  OperationName,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import {
  BaseByteStorage,
  cancelSource,
  checkBytes,
  checkClearOptions,
  checkDeleteOptions,
  checkKey,
  checkKeys,
  checkListOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  isKey,
  Lifecycle,
  refuseAbility,
  StorageError,
  untilAborted,
  withExpiry,
} from "@stowage/core";
import { Background } from "./background.ts";
import type { Health } from "./breaker.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { clearAll } from "./clearing.ts";
import { Listing } from "./listing.ts";
import type { CompositeOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import { gather } from "./outcomes.ts";
import { present, presentOrMissing } from "./present.ts";
import { Reads } from "./reads.ts";
import type { StreamEntry } from "./reads.ts";
import type { RepairOptions, RepairReport } from "./repairs.ts";
import { Repairs } from "./repairs.ts";
import { Replica } from "./replica.ts";
import { isTombstoneKey } from "./tombstones.ts";
import { VersionClock, versionName } from "./versions.ts";
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

/** Milliseconds that `close` waits for what goes on in the background, and before that for calls. */
const closeTimeout = 10_000;

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
  readonly #listing: Listing;
  readonly #background = new Background(backgroundLimit);
  /** Replicas that may refuse a legal key, for a key that is not sure to be taken. */
  readonly #choosy: readonly Replica[];
  readonly #lifecycle: Lifecycle;

  constructor(settings: Settings) {
    super();
    this.#settings = settings;
    this.inner = settings.replicas.map(({ storage }) => storage);
    this.capabilities = capabilitiesOf(settings);
    this.clock = settings.clock;
    this.#replicas = settings.replicas.map(({ name, storage }, index) => new Replica(index, name, storage, settings));
    this.#choosy = this.#replicas.filter(({ storage }) => !storage.capabilities.anyKey);
    const { singleWriter, clock, timer, tombstoneGrace } = settings;
    const parts = { replicas: this.#replicas, versions: new VersionClock(clock), background: this.#background, clock, timer };
    this.#repairs = new Repairs({ ...parts, tombstoneGrace });
    this.#writes = new Writes({ ...parts, needed: settings.write, singleWriter });
    this.#reads = new Reads({ ...settings, ...parts, repairs: this.#repairs });
    this.#listing = new Listing(this.#replicas, this.#reads.manner);
    this.#lifecycle = new Lifecycle({ name: this.name, clock: timer, closeTimeout, release: () => this.#release() });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#lifecycle.during("get", () => {
      this.#begin("get", key, options);
      if (!this.#reads.takesOneAnswer) return this.#reads.get(key, options);
      return this.#reads.one<Bytes>("get", key, ({ storage }, signal) => storage.get(key, { signal }), options?.signal);
    });
  }

  getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#on("getEntry", key, options, () => this.#reads.getEntry(key, options).then(presentOrMissing));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#lifecycle.during("getEntries", async () => {
      options?.signal?.throwIfAborted();
      checkKeys(keys, "getEntries", this.name);
      for (const key of keys) this.#checkKey(key, "getEntries");
      if (!this.#reads.takesOneAnswer) return await super.getEntries(keys, options);
      const entries = await this.#reads.one(
        "getEntries",
        undefined,
        ({ storage }, signal) => storage.getEntries(keys, { signal }),
        options?.signal,
      );
      return entries!.map(presentOrMissing);
    });
  }

  head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#on("head", key, options, () => this.#reads.head(key, options).then(presentOrMissing));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#on("has", key, options, async () => {
      if (!this.#reads.takesOneAnswer) return (await this.#reads.head(key, options)) !== undefined;
      return (await this.#reads.one("has", key, ({ storage }, signal) => storage.has(key, { signal }), options?.signal)) === true;
    });
  }

  list(options: ListOptions = {}): Promise<Page> {
    return this.#lifecycle.during("list", () => {
      checkListOptions(options, this);
      options.signal?.throwIfAborted();
      return this.#listing.list(options);
    });
  }

  put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#on("put", key, options, () => {
      this.#checkPut(options, "put");
      checkBytes(value, "put", this.name, key);
      return this.#write("put", key, options, (settled) => this.#writes.put(key, value, settled)).then(present);
    });
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#on("delete", key, options, () => {
      checkDeleteOptions(options, this);
      return this.#write("delete", key, options, (settled) => this.#writes.delete(key, settled));
    });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", () => super.batch(operations, options));
  }

  /** Asks enough replicas what they have that every entry is found, although one of them may lack it. */
  override clear(options: ClearOptions = {}): Promise<void> {
    return this.#lifecycle.during("clear", () => {
      checkClearOptions(options, this);
      options.signal?.throwIfAborted();
      if (this.capabilities.list === "none") refuseAbility("clear, which needs a list", this, "clear");
      const enough = this.#replicas.length - this.#settings.write + 1;
      const remove: ByteStorage["delete"] = (key, wanted) => this.step(() => this.delete(key, wanted));
      return clearAll({ name: this.name, delete: remove }, this.#replicas, enough, options);
    });
  }

  override read(key: string, options: ReadOptions = {}): Promise<StreamEntry | undefined> {
    return this.#on("read", key, options, () => {
      checkReadOptions(options, this);
      if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
      return this.#reads.read(key, options).then(presentOrMissing);
    });
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return this.#lifecycle.duringWrite(source, async () => {
      try {
        checkSource(source, this.name, key);
        this.#begin("write", key, options);
        this.#checkPut(options, "write");
        if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
        return present(await this.#write("write", key, options, (settled) => this.#writes.write(key, source, settled)));
      } catch (error) {
        cancelSource(source, error);
        throw error;
      }
    });
  }

  /** Waits for what acknowledged writes have left to do, then flushes as many replicas as a write must reach. */
  override flush(options?: CallOptions): Promise<void> {
    return this.#lifecycle.during("flush", () => {
      options?.signal?.throwIfAborted();
      return untilAborted(this.#flush(options?.signal), options?.signal);
    });
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  protected override step<T>(begin: () => T): T {
    return this.#lifecycle.step(begin);
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

  /** A call about one key, counted with all its steps. */
  #on<T>(operation: OperationName, key: string, options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    return this.#lifecycle.during(operation, () => {
      this.#begin(operation, key, options);
      return work();
    });
  }

  #begin(operation: OperationName, key: string, options: CallOptions | undefined): void {
    options?.signal?.throwIfAborted();
    this.#checkKey(key, operation);
  }

  #checkKey(key: string, operation: OperationName): void {
    checkKey(key, operation, this.name);
    if (!isTombstoneKey(key)) return;
    const message = 'Keys that begin with "stowage-deleted/" are those of tombstones; take another.';
    throw new StorageError("invalid-key", message, { operation, key, storage: this.name });
  }

  #checkPut(options: WriteOptions | undefined, operation: "put" | "write"): void {
    checkPutOptions(options, this, operation);
    if (options?.metadata === undefined || !Object.hasOwn(options.metadata, versionName)) return;
    throw new StorageError("invalid-option", `The metadata "${versionName}" is that of the version; take another name.`, {
      operation,
      storage: this.name,
    });
  }

  #write<O extends PutOptions, T>(
    operation: "put" | "write" | "delete",
    key: string,
    options: O | undefined,
    send: (options: O | undefined) => Promise<T>,
  ): Promise<T> {
    const settled = operation === "delete" ? options : withExpiry(options, this.#settings.clock, this, operation);
    if (this.#choosy.length === 0 || isPlain(key)) return send(settled);
    return this.#askWhetherTaken(key, options?.signal).then(() => send(settled));
  }

  /** A key that one of the replicas cannot hold is refused before any of them holds it. */
  async #askWhetherTaken(key: string, signal: AbortSignal | undefined): Promise<void> {
    await Promise.all(
      this.#choosy.map((replica) =>
        replica.head(key, signal).catch((error: unknown) => {
          if (StorageError.is(error, "invalid-key") || signal?.aborted === true) throw error;
        }),
      ),
    );
  }

  async #flush(signal: AbortSignal | undefined): Promise<void> {
    await this.#background.settled();
    const flushes = this.#replicas.map((replica) => replica.call("flush", (own) => replica.storage.flush({ signal: own }), signal));
    await gather({ step: "ask", operation: "flush", key: "", replicas: this.#replicas, needed: this.#settings.write }, flushes);
  }

  /** Closes every replica, and then tells the first that could not be closed. */
  async #release(): Promise<void> {
    const stop = new AbortController();
    await Promise.race([this.#background.settled(), this.#settings.timer.sleep(closeTimeout, stop.signal).catch(() => {})]);
    stop.abort();
    this.#background.end();
    const ends = await Promise.allSettled(this.#replicas.map(({ storage }) => storage.close()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}

/** Whether a key is one that every storage takes. */
function isPlain(key: string): boolean {
  return isKey(key) && key.length <= 200 && /^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(key) && !/(^|\/)\.{1,2}(\/|$)/.test(key);
}
