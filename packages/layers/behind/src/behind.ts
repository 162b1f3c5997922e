import type {
  AnyStorage,
  BatchOptions,
  ByteLayer,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  Capabilities,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  Failure,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import {
  cancelSource,
  checkBatch,
  checkBytes,
  checkDeleteOptions,
  checkKey,
  checkListOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  clearByList,
  clockOf,
  concatBytes,
  copyBytes,
  ForwardingStorage,
  isByteStorage,
  isExpired,
  Lifecycle,
  otherVersion,
  partial,
  readSource,
  refuseAbility,
  resolveRange,
  StorageError,
  streamOf,
  untilAborted,
  withExpiry,
  wrongSize,
} from "@stowage/core";
import { infoOf, listOver, withoutEtag } from "./listing.ts";
import type { BehindOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import type { DeadLetter } from "./queue.ts";
import { Queue, sizeOf } from "./queue.ts";
import type { Write } from "./record.ts";

/** What a write-behind layer has done since it was made, and what is pending. */
export interface BehindStats {
  /** Writes that were acknowledged and have not reached the storage below, dead letters included. */
  readonly pending: number;
  /** Bytes of their values. */
  readonly pendingSize: number;
  /** Milliseconds since the oldest of them began to wait; 0 where none does. */
  readonly oldest: number;
  /** Calls that wait for room. */
  readonly waiting: number;
  /** Writes that reached the storage below. */
  readonly written: number;
  /** Writes that were overtaken by a later one of their key and need not go below. */
  readonly coalesced: number;
  /** Attempts that failed. */
  readonly retries: number;
  readonly deadLetters: number;
}

/**
 * Acknowledges a write once it is in `journal`, and brings it to the storage below later: in order for each key, the last
 * write of a key first and alone. Reads and lists see what is pending.
 *
 * Place in the stack: right above the backend, below encryption, so that nothing pending lies in plain text.
 *
 * @throws StorageError `invalid-option`
 */
export function behind(options: BehindOptions = {}): ByteLayer {
  const settings = settle(options);
  return (inner) => new BehindStorage(inner, settings, options.clock);
}

/** What `behind()` makes; `findLayer(storage, BehindStorage)` finds it. */
export class BehindStorage extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name = "behind";
  override readonly inner: readonly AnyStorage[];
  readonly #capabilities: Capabilities;
  readonly #settings: Settings;
  readonly #queue: Queue;
  readonly #lifecycle: Lifecycle;
  #closing: Promise<void> | undefined;

  constructor(below: ByteStorage, settings: Settings, clock: Clock = clockOf(below)) {
    super(below, clock);
    const { journal, closeTimeout } = settings;
    const refuse = (message: string): never => {
      throw new StorageError("invalid-option", message, { storage: "behind" });
    };
    if (!isByteStorage(below)) refuse("behind works on bytes: put it below the codec.");
    if ((journal as AnyStorage | undefined) === below) refuse("behind: the journal must be another storage than the one below.");
    this.inner = journal === undefined ? [below] : [below, journal];
    this.#capabilities = capabilitiesOf(below, journal);
    this.#settings = settings;
    this.#queue = new Queue(below, settings, this.clock);
    this.#lifecycle = new Lifecycle({
      name: this.name,
      clock: settings.clock,
      closeTimeout,
      ...(journal !== undefined && { open: () => this.#queue.open() }),
      flush: () => this.#closeQueue(),
    });
  }

  override get capabilities(): Capabilities {
    return this.#capabilities;
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#look("get", options, () => {
      const write = this.#queue.find(key);
      if (write === undefined) return this.below.get(key, options);
      return Promise.resolve(this.#isThere(write) ? copyBytes(write.value) : undefined);
    });
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#look("getEntry", options, () => {
      const write = this.#queue.find(key);
      if (write === undefined) return this.below.getEntry(key, options).then((entry) => entry && withoutEtag(entry));
      return Promise.resolve(this.#entryOf(write));
    });
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#look("getEntries", options, async () => {
      const writes = keys.map((key) => this.#queue.find(key));
      const entries = writes.map((write) => write && this.#entryOf(write));
      const asked = keys.filter((_, index) => writes[index] === undefined);
      const found = asked.length === 0 ? [] : await this.below.getEntries(asked, options);
      let next = 0;
      return writes.map((write, index) => {
        if (write !== undefined) return entries[index];
        const entry = found[next++];
        return entry && withoutEtag(entry);
      });
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#look("head", options, () => {
      const write = this.#queue.find(key);
      if (write === undefined) return this.below.head(key, options).then((info) => info && withoutEtag(info));
      return Promise.resolve(this.#isThere(write) ? infoOf(write) : undefined);
    });
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#look("has", options, () => {
      const write = this.#queue.find(key);
      return write === undefined ? this.below.has(key, options) : Promise.resolve(this.#isThere(write));
    });
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return this.#look("list", options, async () => {
      checkListOptions(options, this);
      const pending = new Map(Array.from(this.#queue.pending(), (write) => [write.key, write]));
      return await listOver(this.below as ByteStorage, pending, options, this.clock);
    });
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.#look("read", options, async () => {
      checkReadOptions(options, this);
      if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
      checkKey(key, "read", this.name);
      if (options?.ifMatch !== undefined) throw otherVersion("read", this.name, key);
      const write = this.#queue.find(key);
      if (write === undefined) {
        const entry = await this.belowBytes.read(key, options);
        return entry && withoutEtag(entry);
      }
      if (!this.#isThere(write)) return undefined;
      const { start, end } = resolveRange(write.value.byteLength, options?.start, options?.end);
      return { ...infoOf(write), value: streamOf(write.value.slice(start, end), options?.signal) };
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#run("put", options?.signal, async () => await this.#put("put", key, value, options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#run("delete", options?.signal, async () => {
      checkKey(key, "delete", this.name);
      checkDeleteOptions(options, this);
      await this.#accept({ key, value: undefined, metadata: undefined, expiresAt: undefined }, options?.signal);
    });
  }

  override write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    const writing = this.#run("write", options.signal, async () => {
      checkSource(source, this.name, key);
      checkKey(key, "write", this.name);
      checkPutOptions(options, this, "write");
      if (this.capabilities.streams === "none") refuseAbility("write", this, "write");
      const { size, ...rest } = options;
      const chunks: Bytes[] = [];
      let received = 0;
      for await (const chunk of readSource(source, options.signal)) {
        received += chunk.byteLength;
        if (size !== undefined && received > size) throw wrongSize(size, "more", this.name, key);
        chunks.push(copyBytes(chunk));
      }
      if (size !== undefined && received < size) throw wrongSize(size, String(received), this.name, key);
      return await this.#put("write", key, concatBytes(chunks), rest);
    });
    return writing.catch((error: unknown) => {
      cancelSource(source, error);
      throw error;
    });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#run("batch", options?.signal, async () => {
      checkBatch(operations, options, this);
      const drafts: { readonly index: number; readonly draft: Omit<Write, "sequence"> }[] = [];
      const failures: Failure[] = [];
      for (const [index, operation] of operations.entries()) {
        try {
          drafts.push({ index, draft: await this.#draftOf(operation) });
        } catch (error) {
          if (options?.atomic === true) throw error;
          failures.push({ index, key: operation.key, error });
        }
      }
      if (drafts.length > 0) {
        const size = drafts.reduce((sum, { draft }) => sum + sizeOf(draft), 0);
        await this.#queue.room.enter(drafts.length, size, options?.signal);
        const failed = await this.#queue.append(
          drafts.map(({ draft }) => draft),
          options?.atomic === true,
        );
        for (const [at, error] of failed) {
          if (options?.atomic === true) throw error;
          const index = drafts[at]!.index;
          failures.push({ index, key: operations[index]!.key, error });
        }
      }
      if (failures.length > 0) throw partial("batch", this.name, failures, operations.length);
    });
  }

  /** Deletes what a list gives, each key by a write of its own. */
  override clear(options?: ClearOptions): Promise<void> {
    return this.#run("clear", options?.signal, () => clearByList(this, options));
  }

  /** Waits until all that was acknowledged is in the storage below. Rejects with `partial` where there are dead letters. */
  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", options?.signal, async () => {
      await this.#queue.drain(options?.signal);
      await this.below.flush(options);
      const letters = this.deadLetters();
      if (letters.length > 0) throw partial("flush", this.name, letters.map(failureOf), letters.length);
    });
  }

  /** Writes what is pending, up to `closeTimeout`, and rejects with `partial` where something is left. */
  override close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** What the storage below refused for good, by key; reads see these writes still. */
  deadLetters(): readonly DeadLetter[] {
    return this.#queue.deadLetters();
  }

  /** Sends them again. */
  retryDeadLetters(): void {
    this.#queue.retryDeadLetters();
  }

  /** Gives them up: reads see what is below from now on. */
  discardDeadLetters(): void {
    this.#queue.discardDeadLetters();
  }

  stats(): BehindStats {
    const { room, oldest, counters } = this.#queue;
    const { written, coalesced, retries, dead } = counters;
    const age = oldest === undefined ? 0 : Math.max(0, this.#settings.clock.now() - oldest);
    return {
      pending: room.count,
      pendingSize: room.size,
      oldest: age,
      waiting: room.waiting,
      written,
      coalesced,
      retries,
      deadLetters: dead,
    };
  }

  override details(): Details {
    const { journal, onDeadLetter: _listener, random: _random, clock: _clock, ...options } = this.#settings;
    return { options: { ...options, journal: journal?.name ?? "memory" }, stats: { ...this.stats() } };
  }

  async #put(operation: "put" | "write", key: string, value: Uint8Array, options: PutOptions | undefined): Promise<EntryInfo> {
    const draft = this.#draft(operation, key, value, options);
    await this.#probe(key);
    await this.#accept(draft, options?.signal);
    return infoOf({ ...draft, sequence: 0 });
  }

  async #draftOf(operation: Operation<Bytes>): Promise<Omit<Write, "sequence">> {
    const { key } = operation;
    checkKey(key, "batch", this.name);
    if (operation.type === "delete") return { key, value: undefined, metadata: undefined, expiresAt: undefined };
    const draft = this.#draft("batch", key, operation.value, operation.options);
    await this.#probe(key);
    return draft;
  }

  #draft(operation: "put" | "write" | "batch", key: string, value: Uint8Array, options: PutOptions | undefined): Omit<Write, "sequence"> {
    checkKey(key, operation, this.name);
    checkBytes(value, operation, this.name, key);
    checkPutOptions(options, this, operation);
    const { metadata, expiresAt } = withExpiry(options, this.clock, this) ?? {};
    return { key, value: copyBytes(value), metadata: metadata && { ...metadata }, expiresAt };
  }

  /** Finds out whether the storage below can hold a key that not every storage can, before its write is acknowledged. */
  async #probe(key: string): Promise<void> {
    if (this.below.capabilities.anyKey || isPlain(key)) return;
    await this.below.has(key).catch((error: unknown) => {
      if (StorageError.is(error, "invalid-key")) throw error;
    });
  }

  async #accept(draft: Omit<Write, "sequence">, signal: AbortSignal | undefined): Promise<void> {
    const entering = this.#queue.room.enter(1, sizeOf(draft), signal);
    if (entering !== undefined) await entering;
    const failed = await this.#queue.append([draft], false);
    if (failed.has(0)) throw failed.get(0);
  }

  #isThere(write: Write): write is Write & { readonly value: Bytes } {
    return write.value !== undefined && !isExpired(write.expiresAt, this.clock);
  }

  #entryOf(write: Write): Entry<Bytes> | undefined {
    return this.#isThere(write) ? { ...infoOf(write), value: copyBytes(write.value) } : undefined;
  }

  #look<T>(operation: string, options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    return this.#run(operation, options?.signal, work);
  }

  /** The journal goes on with what its caller no longer waits for. */
  #run<T>(operation: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return untilAborted(this.#lifecycle.run(operation, work, signal), signal);
  }

  async #closeQueue(): Promise<void> {
    const left = await this.#queue.close();
    if (left.length === 0) return;
    const fate = this.#settings.journal === undefined ? "are lost" : "stay in the journal for the next start";
    throw new StorageError("partial", `${left.length} pending writes did not reach the storage below and ${fate}; see failures.`, {
      storage: this.name,
      operation: "close",
      failures: left.map(failureOf),
    });
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of [this.#lifecycle, ...this.inner]) await step.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

const failureOf = ({ key, error }: DeadLetter, index: number): Failure => ({ index, key, error });

/** Whether every storage takes a key. */
const isPlain = (key: string): boolean =>
  key.length <= 200 &&
  /^[a-z0-9/._-]+$/.test(key) &&
  key.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");

function capabilitiesOf(below: ByteStorage, journal: ByteStorage | undefined): Capabilities {
  const { capabilities } = below;
  const ranks = ["memory", "process", "power"] as const;
  const durability = ranks[Math.min(...[capabilities, journal?.capabilities].map((each) => ranks.indexOf(each?.durability ?? "memory")))];
  return {
    ...capabilities,
    conditions: [],
    atomicBatch: capabilities.atomicBatch && (journal?.capabilities.atomicBatch ?? true),
    streams: capabilities.streams === "none" ? "none" : "buffered",
    durability: durability ?? "memory",
    shared: false,
  };
}
