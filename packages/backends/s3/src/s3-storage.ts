import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  Capabilities,
  ClearOptions,
  Clock,
  Condition,
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
  BaseByteStorage,
  byteLength,
  cancelSource,
  checkBatch,
  checkBytes,
  checkClearOptions,
  checkDeleteOptions,
  checkKey,
  checkListOptions,
  checkOperations,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  Lifecycle,
  maxKeySize,
  rejecting,
  StorageError,
  systemClock,
} from "@stowage/core";
import { Bulk, failuresOf, splitBatch, throwFailures } from "./bulk.ts";
import type { CallName } from "./errors.ts";
import { storageName, translate } from "./errors.ts";
import type { CredentialsSource } from "./lean/credentials.ts";
import type { HonouredConditions } from "./probe.ts";
import { probe } from "./probe.ts";
import { Reader } from "./reader.ts";
import type { SdkClient } from "./sdk/handed-in.ts";
import type { S3Service } from "./service.ts";
import { serviceOf } from "./service.ts";
import { Writer } from "./writer.ts";

export interface S3Options {
  /** The bucket, which must be there. */
  readonly bucket: string;
  /** Stands before every key in the bucket, so that several storages share one: `"users/"`. @default "" */
  readonly prefix?: string | undefined;
  /** The region of the bucket. @default AWS_REGION, else "us-east-1" */
  readonly region?: string | undefined;
  /** The address of a service that is not AWS. @default that of AWS */
  readonly endpoint?: string | undefined;
  /** Whether the bucket stands in the path of the address and not in its host. @default true for every endpoint */
  readonly pathStyle?: boolean | undefined;
  /** Who signs, or what gives them; a provider of the AWS SDK fits. @default the usual variables of the environment */
  readonly credentials?: CredentialsSource | undefined;
  /** What the service decides itself: `probe()` finds it out. @default all for AWS, none for an endpoint */
  readonly conditions?: readonly Condition[] | undefined;
  /**
   * An `S3Client` of `@aws-sdk/client-s3` that sends the requests, without its own retry; it brings region, endpoint and
   * credentials, and stays open. @default a client of our own, which is several times as fast
   */
  readonly client?: SdkClient | undefined;
  /** Stores the SHA-256 of each value with it, and checks it when the whole value is read. @default false */
  readonly checksum?: boolean | undefined;
  /** Bytes of a part of an upload, 5 MiB or more. @default 8 MiB */
  readonly partSize?: number | undefined;
  /** Parts of one upload that are sent at once; so many are in memory. @default 4 */
  readonly partsInFlight?: number | undefined;
  /** Connections at the most. @default 64 */
  readonly connections?: number | undefined;
  /** Milliseconds until a connection stands. @default 5_000 */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that the service may send nothing, and that a call waits for a free connection. @default 60_000 */
  readonly timeout?: number | undefined;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

export interface PresignOptions {
  /** What may be done. @default "GET" */
  readonly method?: "GET" | "PUT" | "HEAD" | "DELETE" | undefined;
  /** Milliseconds that it may be done, up to 7 days. @default 900_000 */
  readonly expires?: number | undefined;
}

export interface SweepOptions extends CallOptions {
  /** Milliseconds since an upload began. @default 86_400_000 */
  readonly olderThan?: number | undefined;
}

/**
 * A storage of bytes in a bucket of an S3 service. The bucket must be there.
 *
 * ```ts
 * const photos = s3Storage({ bucket: "photos", region: "eu-central-1" });
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function s3Storage(options: S3Options): ByteStorage {
  return new S3Storage(options);
}

/** What `s3Storage()` makes; `findLayer(storage, S3Storage)` finds it. */
export class S3Storage extends BaseByteStorage {
  override readonly name: string = storageName;
  override readonly capabilities: Capabilities;
  readonly #service: S3Service;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #bulk: Bulk;
  readonly #prefix: string;
  readonly #lifecycle: Lifecycle;

  constructor(options: S3Options) {
    super();
    const clock = options?.clock ?? systemClock;
    this.#service = serviceOf(options, clock);
    const { settings } = this.#service;
    this.#prefix = settings.prefix;
    this.#reader = new Reader(settings);
    this.#writer = new Writer(settings);
    this.#bulk = new Bulk(settings);
    this.capabilities = {
      ttl: false,
      metadata: true,
      conditions: this.#service.conditions,
      list: "ordered",
      atomicBatch: false,
      anyKey: settings.prefix === "",
      streams: "native",
      durability: "power",
      shared: true,
    };
    this.#lifecycle = new Lifecycle({
      name: storageName,
      clock,
      open: settings.transport.open,
      flush: () => this.#writer.uploads.idle(),
      release: async () => settings.transport.close(),
    });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#on("get", key, options, async () => (await this.#reader.entry(key, "get", options))?.value);
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#on("getEntry", key, options, () => this.#reader.entry(key, "getEntry", options));
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#on("head", key, options, () => this.#reader.info(key, options));
  }

  override list(options: ListOptions = {}): Promise<Page> {
    return rejecting(() => {
      checkListOptions(options, this);
      return this.#run("list", options, () => this.#reader.page(options));
    });
  }

  override put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    return this.#on("put", key, options, () => {
      checkBytes(value, "put", storageName, key);
      this.#checkPut(options, "put");
      return this.#writer.put(key, value, options);
    });
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#on("delete", key, options, () => {
      checkDeleteOptions(options, this);
      return this.#writer.delete(key, options);
    });
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#lifecycle.during("getEntries", () => super.getEntries(keys, options));
  }

  protected override step<T>(begin: () => T): T {
    return this.#lifecycle.step(begin);
  }

  /** Deletes go together, 1,000 in a request; everything else is a request of its own. */
  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return rejecting(() => {
      checkOperations(operations, this);
      for (const operation of operations) if (operation.type === "put") this.#checkPut(operation.options, "batch");
      checkBatch(operations, options, this);
      return this.#run("batch", options, async () => {
        const { together, apart, refused } = splitBatch(operations, (key) => this.#checkLength(key, "batch"));
        const failures: Failure[] = [...refused];
        const others = super.batch(
          apart.map((index) => operations[index]!),
          { signal: options?.signal },
        );
        const [rest, deleted] = await Promise.allSettled([others, this.#bulk.deleteAll(together, options)]);
        options?.signal?.throwIfAborted();
        if (rest.status === "rejected") failures.push(...failuresOf(rest.reason, apart));
        if (deleted.status === "rejected") throw deleted.reason;
        failures.push(...deleted.value);
        throwFailures(failures, operations.length, options);
      });
    });
  }

  override clear(options?: ClearOptions): Promise<void> {
    return rejecting(() => {
      checkClearOptions(options, this);
      return this.#run("clear", options, () => this.#bulk.clear(options));
    });
  }

  override read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return this.#on("read", key, options, () => {
      checkReadOptions(options, this);
      return this.#reader.stream(key, options);
    });
  }

  override async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    let sent = false;
    try {
      return await this.#on("write", key, options, () => {
        checkSource(source, storageName, key);
        this.#checkPut(options, "write");
        sent = true;
        return this.#writer.write(key, source, options);
      });
    } catch (error) {
      if (!sent) cancelSource(source, error);
      throw error;
    }
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#run("flush", options, async () => {});
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  /**
   * Finds out which conditions the service honours, with objects of its own under the prefix, which it removes. Give what it finds to
   * the option `conditions`: a service may ignore a condition without a word.
   */
  probe(options?: CallOptions): Promise<HonouredConditions> {
    return this.#run("probe", options, () => probe(this.#service.settings, options?.signal));
  }

  /**
   * Aborts uploads under the prefix that were begun long ago and never ended, as a process leaves them that dies; they cost room and are
   * seen nowhere. Those of this storage that are under way are left alone. Gives how many.
   */
  gc({ olderThan = 86_400_000, signal }: SweepOptions = {}): Promise<{ readonly aborted: number }> {
    return this.#run("gc", { signal }, async () => ({ aborted: await this.#writer.uploads.sweep(olderThan, signal) }));
  }

  /**
   * An address with which anybody may do one thing with one entry, for a while. Whoever puts by it gives no metadata but a content type.
   *
   * @throws StorageError `invalid-option`
   */
  presign(key: string, { method = "GET", expires = 900_000 }: PresignOptions = {}): Promise<string> {
    return this.#on("presign", key, undefined, () => {
      const seconds = Math.ceil(expires / 1000);
      if (!["GET", "PUT", "HEAD", "DELETE"].includes(method)) throw invalidPresign('method must be "GET", "PUT", "HEAD" or "DELETE".');
      if (!(seconds >= 1 && seconds <= 604_800)) throw invalidPresign("expires must be milliseconds from 1 to 7 days.");
      return this.#service.settings.transport.presign(method, this.#prefix + key, seconds);
    });
  }

  override details(): Details {
    return { options: this.#service.details, stats: { openUploads: this.#writer.uploads.open } };
  }

  /** A call for one key. */
  #on<T>(operation: CallName, key: string, options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    return this.#run(
      operation,
      options,
      () => {
        this.#checkKey(key, operation);
        return work();
      },
      key,
    );
  }

  /** A call between open and close; what the service says of it becomes an error of the contract. */
  async #run<T>(operation: CallName, options: CallOptions | undefined, work: () => Promise<T>, key?: string): Promise<T> {
    try {
      return await this.#lifecycle.run(operation, work, options?.signal);
    } catch (error) {
      throw translate(error, operation, key);
    }
  }

  #checkKey(key: string, operation: CallName): void {
    checkKey(key, operation, storageName);
    this.#checkLength(key, operation);
  }

  /** The prefix counts: S3 knows only whole keys. */
  #checkLength(key: string, operation: CallName): void {
    if (this.#prefix === "" || byteLength(this.#prefix) + byteLength(key) <= maxKeySize) return;
    const message = `A key must be at most ${maxKeySize} bytes of UTF-8 together with the prefix of this storage.`;
    throw new StorageError("invalid-key", message, { operation, storage: storageName, key });
  }

  #checkPut(options: WriteOptions | undefined, operation: "put" | "write" | "batch"): void {
    try {
      checkPutOptions(options, this, operation);
    } catch (error) {
      if (!StorageError.is(error, "unsupported") || (options?.ttl === undefined && options?.expiresAt === undefined)) throw error;
      throw new StorageError("unsupported", "S3 cannot let single entries expire: put the layer envelope() on it, which can.", {
        operation,
        storage: storageName,
      });
    }
  }
}

function invalidPresign(message: string): StorageError {
  return new StorageError("invalid-option", message, { operation: "presign", storage: storageName });
}
