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
  ListOptions,
  Operation,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import {
  cancelSource,
  checkClearOptions,
  checkKey,
  checkKeys,
  checkListOptions,
  checkReadOptions,
  clockOf,
  copyBytes,
  ForwardingStorage,
  Lifecycle,
  otherVersion,
  partial,
  refuseAbility,
  rejecting,
  resolveRange,
  StorageError,
  streamOf,
} from "@stowage/core";
import { capabilitiesOf, checkStack } from "./capabilities.ts";
import type { DeadLetter } from "./drain.ts";
import { Intake } from "./intake.ts";
import { orderedPage, unorderedPage } from "./listing.ts";
import type { BehindOptions, Settings } from "./options.ts";
import { settle } from "./options.ts";
import { Queue } from "./queue.ts";
import type { BehindStats } from "./stats.ts";
import { statsOf } from "./stats.ts";
import type { Write } from "./write.ts";
import { infoOf, isLiving, withoutEtag } from "./write.ts";

/**
 * Acknowledges a write once it is in `journal`, and brings it to the storage below later: in order for each key, of several
 * pending writes of a key only the last. Reads and lists see what is pending.
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
  readonly #settings: Settings;
  readonly #queue: Queue;
  readonly #intake: Intake;
  readonly #lifecycle: Lifecycle;
  #closing: Promise<void> | undefined;

  constructor(below: ByteStorage, settings: Settings, clock: Clock = clockOf(below)) {
    super(below, clock);
    const { journal, closeTimeout } = settings;
    checkStack(below, journal);
    this.inner = journal === undefined ? [below] : [below, journal];
    this.#settings = settings;
    this.#queue = new Queue(below, settings, this.clock);
    this.#intake = new Intake(this, { below, queue: this.#queue, settings, clock: this.clock });
    this.#lifecycle = new Lifecycle({
      name: this.name,
      clock: settings.clock,
      closeTimeout,
      ...(journal !== undefined && { open: () => this.#queue.open() }),
      flush: () => this.#closeQueue(),
    });
  }

  override get capabilities(): Capabilities {
    return capabilitiesOf(this.below, this.#settings.journal);
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    if (this.#isAbsent(key)) return super.get(key, options);
    return this.#look(
      "get",
      key,
      options,
      (write) => this.#valueOf(write, options?.signal),
      () => super.get(key, options),
    );
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    if (this.#isAbsent(key)) return super.getEntry(key, options).then(withoutEtag);
    return this.#run("getEntry", options?.signal, () => this.#entry(key, options));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#run("getEntries", options?.signal, async () => {
      checkKeys(keys, "getEntries", this.name);
      const absent = keys.filter((key) => this.#queue.pending(key) === undefined);
      if (absent.length === keys.length) return (await super.getEntries(keys, options)).map(withoutEtag);
      const pending = keys.map((key) => (this.#queue.pending(key) === undefined ? undefined : this.#entry(key, options)));
      const [below, ...found] = await Promise.all([absent.length === 0 ? [] : super.getEntries(absent, options), ...pending]);
      let next = 0;
      return keys.map((_, index) => (pending[index] === undefined ? withoutEtag(below[next++]) : found[index]));
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    const below = (): Promise<EntryInfo | undefined> => super.head(key, options).then(withoutEtag);
    if (this.#isAbsent(key)) return below();
    return this.#look("head", key, options, async (write) => infoOf(write), below);
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    if (this.#isAbsent(key)) return super.has(key, options);
    const found = this.#look(
      "has",
      key,
      options,
      async () => true,
      () => super.has(key, options),
    );
    return found.then((isThere) => isThere ?? false);
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      return this.#run("list", options.signal, () => {
        const listed = { slots: this.#queue.slots, below: this.belowBytes, clock: this.clock };
        return this.below.capabilities.list === "ordered" ? orderedPage(listed, options) : unorderedPage(listed, options);
      });
    });
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.#run("read", options?.signal, async () => {
      checkKey(key, "read", this.name);
      checkReadOptions(options, this);
      if (this.capabilities.streams === "none") refuseAbility("read", this, "read");
      if (options?.ifMatch !== undefined) throw otherVersion("read", this.name, key); // nothing here has an etag
      const below = (): Promise<Entry<ReadableStream<Bytes>> | undefined> => super.read(key, options).then(withoutEtag);
      return await this.#overlay(key, (write) => this.#streamOf(write, options), below);
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#run("put", options?.signal, () => this.#intake.put(key, value, options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#run("delete", options?.signal, () => this.#intake.delete(key, options));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return this.#run("write", options?.signal, () => this.#intake.write(key, source, options)).catch((error: unknown) => {
      cancelSource(source, error);
      throw error;
    });
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#run("batch", options?.signal, () => this.#intake.batch(operations, options));
  }

  /** Empties the storage below at once, and drops what is pending then. */
  override clear(options?: ClearOptions): Promise<void> {
    return this.#run("clear", options?.signal, () => {
      checkClearOptions(options, this);
      return this.#queue.exclusively({ prefix: options?.prefix ?? "", exact: false }, options?.signal, () => this.below.clear(options));
    });
  }

  /** Waits until all that was acknowledged is in the storage below. Rejects with `partial` where there are dead letters. */
  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", options?.signal, async () => {
      await this.#queue.flush(options?.signal);
      await this.below.flush(options);
      const failures = this.deadLetters().map(({ key, error }, index) => ({ index, key, error }));
      if (failures.length > 0) throw partial("flush", this.name, failures, failures.length);
    });
  }

  /** Brings what is pending below, for `closeTimeout` at the most, then closes that and the journal. Rejects where something is left. */
  override close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** Writes that the storage below refused for good. Reads still see them, and a later write of the key takes their place. */
  deadLetters(): readonly DeadLetter[] {
    return this.#queue.deadLetters();
  }

  /** Sends all dead letters again. */
  retryDeadLetters(): void {
    this.#queue.retryDeadLetters();
  }

  /** Gives a dead letter up: reads see what is below from now on. False where the key has none. */
  discardDeadLetter(key: string): Promise<boolean> {
    return this.#run("delete", undefined, () => this.#queue.discard(key));
  }

  stats(): BehindStats {
    return statsOf(this.#queue, this.clock);
  }

  override details(): Details {
    const { journal, onDeadLetter: _listener, clock: _clock, ...options } = this.#settings;
    return { options: { ...options, journal: journal?.name ?? "memory" }, stats: { ...this.stats() } };
  }

  /** Whether nothing is pending under a key, so that the storage below may answer by itself. */
  #isAbsent(key: string): boolean {
    return this.#lifecycle.ready && !this.#queue.isLost && this.#queue.pending(key) === undefined;
  }

  #run<T>(operation: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const checked = (): Promise<T> => {
      this.#queue.check();
      return work();
    };
    return this.#lifecycle.run(operation, checked, signal);
  }

  #look<T>(
    operation: string,
    key: string,
    options: CallOptions | undefined,
    see: (write: Write) => Promise<T | undefined>,
    below: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    return this.#run(operation, options?.signal, () => this.#overlay(key, see, below));
  }

  /** What is pending, or what is below. A value that is not in the journal any more has arrived there meanwhile. */
  async #overlay<T>(
    key: string,
    see: (write: Write) => Promise<T | undefined>,
    below: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    for (let write = this.#queue.pending(key); write !== undefined; write = this.#queue.pending(key)) {
      if (!isLiving(write, this.clock)) return undefined;
      const found = await see(write);
      if (found !== undefined) return found;
      this.#queue.miss(write);
    }
    return await below();
  }

  #entry(key: string, options: CallOptions | undefined): Promise<Entry<Bytes> | undefined> {
    return this.#overlay(
      key,
      (write) => this.#entryOf(write, options?.signal),
      () => super.getEntry(key, options).then(withoutEtag),
    );
  }

  async #valueOf(write: Write, signal: AbortSignal | undefined): Promise<Bytes | undefined> {
    return write.value === undefined ? await this.#queue.journal!.value(write, signal) : copyBytes(write.value);
  }

  async #entryOf(write: Write, signal: AbortSignal | undefined): Promise<Entry<Bytes> | undefined> {
    const value = await this.#valueOf(write, signal);
    return value && { ...infoOf(write), value };
  }

  async #streamOf(write: Write, options: ReadOptions | undefined): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const { start, end } = resolveRange(write.size, options?.start, options?.end);
    const signal = options?.signal;
    const value = write.value;
    const stream =
      value === undefined ? await this.#queue.journal!.stream(write, { start, end, signal }) : streamOf(value.slice(start, end), signal);
    return stream && { ...infoOf(write), value: stream };
  }

  async #closeQueue(): Promise<void> {
    const left = await this.#queue.close();
    if (left === 0) return;
    const fate = this.#settings.journal === undefined ? "and is lost" : "and stays in the journal for the next start";
    const message = `What was written under ${left} ${left === 1 ? "key" : "keys"} has not reached the storage below ${fate}.`;
    throw new StorageError("unavailable", message, { storage: this.name, operation: "close", retryable: false });
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    await this.#lifecycle.close().catch((error: unknown) => failures.push(error));
    this.#queue.end();
    for (const storage of this.inner) await storage.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
