import type {
  Bytes,
  ByteSource,
  CallOptions,
  Capabilities,
  ClearOptions,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
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
  refuseAbility,
  StorageError,
  untilAborted,
  withExpiry,
} from "@stowage/core";
import type { Background } from "./background.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { clearAll } from "./clearing.ts";
import { Listing } from "./listing.ts";
import type { Settings } from "./options.ts";
import { gather } from "./outcomes.ts";
import { present, presentOrMissing } from "./present.ts";
import type { Reads, StreamEntry } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { isTombstoneKey } from "./tombstones.ts";
import { versionName } from "./versions.ts";
import type { Writes } from "./writes.ts";

/** Milliseconds that `close` waits for what goes on in the background, and before that for calls. */
export const closeTimeout = 10_000;

export interface JoinedParts {
  readonly settings: Settings;
  readonly replicas: readonly Replica[];
  readonly background: Background;
  readonly reads: Reads;
  readonly writes: Writes;
}

/** The replicas as one storage. Who calls it sees to it that nothing is called after `close`, nor `close` while calls run. */
export class JoinedReplicas extends BaseByteStorage {
  readonly name = "composite";
  readonly capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #replicas: readonly Replica[];
  readonly #background: Background;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #listing: Listing;
  /** Replicas that may refuse a legal key, for a key that is not sure to be taken. */
  readonly #choosy: readonly Replica[];

  constructor({ settings, replicas, background, reads, writes }: JoinedParts) {
    super();
    this.capabilities = capabilitiesOf(settings);
    this.#settings = settings;
    this.#replicas = replicas;
    this.#background = background;
    this.#reads = reads;
    this.#writes = writes;
    this.#listing = new Listing(replicas, reads.manner);
    this.#choosy = replicas.filter(({ storage }) => !storage.capabilities.anyKey);
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    this.#begin("get", key, options);
    if (!this.#reads.takesOneAnswer) return this.#reads.get(key, options);
    return this.#reads.one<Bytes>("get", key, ({ storage }, signal) => storage.get(key, { signal }), options?.signal);
  }

  async getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    this.#begin("getEntry", key, options);
    return presentOrMissing(await this.#reads.getEntry(key, options));
  }

  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
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
  }

  async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    this.#begin("head", key, options);
    return presentOrMissing(await this.#reads.head(key, options));
  }

  override async has(key: string, options?: CallOptions): Promise<boolean> {
    this.#begin("has", key, options);
    if (!this.#reads.takesOneAnswer) return (await this.#reads.head(key, options)) !== undefined;
    return (await this.#reads.one("has", key, ({ storage }, signal) => storage.has(key, { signal }), options?.signal)) === true;
  }

  async list(options: ListOptions = {}): Promise<Page> {
    checkListOptions(options, this);
    options.signal?.throwIfAborted();
    return await this.#listing.list(options);
  }

  async put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    this.#begin("put", key, options);
    this.#checkPut(options, "put");
    checkBytes(value, "put", this.name, key);
    return present(await this.#write("put", key, options, (settled) => this.#writes.put(key, value, settled)));
  }

  async delete(key: string, options?: DeleteOptions): Promise<void> {
    this.#begin("delete", key, options);
    checkDeleteOptions(options, this);
    await this.#write("delete", key, options, (settled) => this.#writes.delete(key, settled));
  }

  /** Asks enough replicas what they have that every entry is found, although one of them may lack it. */
  override async clear(options: ClearOptions = {}): Promise<void> {
    checkClearOptions(options, this);
    options.signal?.throwIfAborted();
    if (this.capabilities.list === "none") refuseAbility("clear, which needs a list", this, "clear");
    const enough = this.#replicas.length - this.#settings.write + 1;
    await clearAll(this, this.#replicas, enough, options);
  }

  override async read(key: string, options: ReadOptions = {}): Promise<StreamEntry | undefined> {
    this.#begin("read", key, options);
    checkReadOptions(options, this);
    if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
    return presentOrMissing(await this.#reads.read(key, options));
  }

  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    try {
      checkSource(source, this.name, key);
      this.#begin("write", key, options);
      this.#checkPut(options, "write");
      if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
      const owned = await this.#write("write", key, options, (settled) => this.#writes.write(key, source, settled));
      return present(owned);
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
  }

  /** Waits for what acknowledged writes have left to do, then flushes as many replicas as a write must reach. */
  override async flush(options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    await untilAborted(this.#flush(options?.signal), options?.signal);
  }

  /** Closes every replica, and then tells the first that could not be closed. */
  async close(): Promise<void> {
    const stop = new AbortController();
    await Promise.race([this.#background.settled(), this.#settings.timer.sleep(closeTimeout, stop.signal).catch(() => {})]);
    stop.abort();
    this.#background.end();
    const ends = await Promise.allSettled(this.#replicas.map(({ storage }) => storage.close()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #flush(signal: AbortSignal | undefined): Promise<void> {
    await this.#background.settled();
    const flushes = this.#replicas.map((replica) => replica.call("flush", (own) => replica.storage.flush({ signal: own }), signal));
    await gather({ step: "ask", operation: "flush", key: "", replicas: this.#replicas, needed: this.#settings.write }, flushes);
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
}

/** Whether a key is one that every storage takes. */
function isPlain(key: string): boolean {
  return isKey(key) && key.length <= 200 && /^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(key) && !/(^|\/)\.{1,2}(\/|$)/.test(key);
}
