import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  ClearOptions,
  Capabilities,
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
  checkDeleteOptions,
  checkKey,
  checkListOptions,
  checkOptions,
  checkPutOptions,
  checkReadOptions,
  checkSource,
  Lifecycle,
  otherVersion,
  resolveRange,
  StorageError,
  systemClock,
  untilAborted,
} from "@stowage/core";
import { Disk, etagOf, infoOf } from "./disk.ts";
import { SourceError } from "./drafts.ts";
import { storageName, translate } from "./errors.ts";
import type { FileSystem } from "./file-system.ts";
import { nodeFileSystem } from "./file-system.ts";
import { encodedLayout } from "./layouts/encoded.ts";
import { treeLayout } from "./layouts/tree.ts";
import { Lister } from "./listing/lister.ts";
import { openFolder, withSlashes } from "./opening.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

export interface FileOptions {
  /** The folder that holds the entries. It is made if it is missing. */
  readonly directory: string | URL;
  /**
   * How keys become files. `"tree"`: the key `a/b.json` is the file `a/b.json`; keys that cannot be a path are refused.
   * `"encoded"`: every key works, on every file system, under names that programs can read and people can guess.
   * @default "tree"
   */
  readonly layout?: "tree" | "encoded" | undefined;
  /** What an acknowledged write survives: loss of power, or only the end of the process, which is faster. @default "power" */
  readonly durability?: "power" | "process" | undefined;
  /** `"auto"`: small values by direct calls while the disk is quick. `"pool"`: always on the thread pool. @default "auto" */
  readonly io?: "auto" | "pool" | undefined;
  /** @default the time of the machine */
  readonly clock?: Clock | undefined;
  /** The port to the disk, for tests. @default node:fs */
  readonly fileSystem?: FileSystem | undefined;
}

/** A storage of bytes in a folder, one file for each entry. */
export function fileStorage(options: FileOptions): ByteStorage {
  return new FileStorage(options);
}

class FileStorage extends BaseByteStorage {
  override readonly name = storageName;
  override readonly capabilities: Capabilities;
  readonly #options: Required<Pick<FileOptions, "layout" | "durability" | "io">>;
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #reader: Reader;
  readonly #lister: Lister;
  readonly #lifecycle: Lifecycle;
  #writer: Writer | undefined;
  #swept = 0;

  constructor(options: FileOptions) {
    super();
    checkOptions({}, options, storageName, ["directory", "layout", "durability", "io", "fileSystem"]);
    const { layout = "tree", durability = "power", io = "auto", clock = systemClock, fileSystem = nodeFileSystem } = options;
    checkChoice("layout", layout, ["tree", "encoded"]);
    checkChoice("durability", durability, ["power", "process"]);
    checkChoice("io", io, ["auto", "pool"]);
    this.#directory = directoryOf(options.directory);
    this.#options = { layout, durability, io };
    this.#disk = new Disk(fileSystem, layout === "tree" ? treeLayout(fileSystem.platform) : encodedLayout, io, clock);
    this.#reader = new Reader(this.#disk);
    this.#lister = new Lister(this.#disk);
    this.capabilities = {
      ttl: false,
      metadata: false,
      conditions: ["create", "replace", "delete", "stream"],
      list: "ordered",
      atomicBatch: false,
      anyKey: this.#disk.layout.anyKey,
      streams: "native",
      durability,
      shared: true,
    };
    this.#lifecycle = new Lifecycle({
      name: storageName,
      clock,
      open: () => this.#open(),
      flush: async () => await this.#writer?.flush(),
      release: () => this.#release(),
    });
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return this.#on("get", key, options?.signal, async (path) => (await this.#reader.get(path))?.value);
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#on("getEntry", key, options?.signal, async (path) => {
      const found = await this.#reader.get(path);
      return found && { ...infoOf(key, found.stat), value: found.value };
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#on("head", key, options?.signal, async (path) => {
      const stat = await this.#reader.head(path);
      return stat && infoOf(key, stat);
    });
  }

  override async list(options?: ListOptions): Promise<Page> {
    checkListOptions(options, this);
    return await this.#run("list", undefined, options?.signal, () => this.#lister.list(options));
  }

  override async put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    checkPutOptions(options, this, "put");
    checkBytes(value, "put", storageName, key);
    return await this.#on("put", key, options?.signal, async (path) =>
      infoOf(key, await this.#writer!.put({ operation: "put", key, path, ...conditionsOf(options) }, value)),
    );
  }

  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    checkDeleteOptions(options, this);
    await this.#on("delete", key, options?.signal, (path) =>
      this.#writer!.delete({ operation: "delete", key, path, ifMatch: options?.ifMatch, signal: options?.signal }),
    );
  }

  override async read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    checkReadOptions(options, this);
    const { signal, ifMatch } = options;
    return await this.#on("read", key, signal, async (path) => {
      const file = await this.#reader.open(path);
      if (ifMatch !== undefined && (file === undefined || etagOf(file.stat) !== ifMatch)) {
        if (file !== undefined) this.#reader.close(file);
        throw otherVersion("read", storageName, key);
      }
      if (file === undefined) return undefined;
      if (signal?.aborted) this.#reader.close(file);
      signal?.throwIfAborted();
      const { start, end } = resolveRange(Number(file.stat.size), options.start, options.end);
      const value = this.#reader.stream(file, start, end, signal, (error) => translate(error, { operation: "read", key }));
      return { ...infoOf(key, file.stat), value };
    });
  }

  override async write(key: string, source: ByteSource, options: WriteOptions = {}): Promise<EntryInfo> {
    let opened = false;
    const open = (): ReturnType<typeof openSource> => {
      opened = true;
      return openSource(source);
    };
    try {
      checkSource(source, storageName, key);
      checkPutOptions(options, this, "write");
      return await this.#on("write", key, options.signal, async (path) => {
        const change = { operation: "write", key, path, ...conditionsOf(options) } as const;
        await this.#writer!.check(change);
        return infoOf(key, await this.#writer!.write(change, open, options.size));
      });
    } catch (error) {
      if (!opened) cancelSource(source, error);
      throw error instanceof SourceError ? error.reason : error;
    }
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return this.#lifecycle.during("getEntries", () => super.getEntries(keys, options));
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return this.#lifecycle.during("batch", () => super.batch(operations, options));
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#lifecycle.during("clear", () => super.clear(options));
  }

  protected override step<T>(begin: () => T): T {
    return this.#lifecycle.step(begin);
  }

  override async flush(options?: CallOptions): Promise<void> {
    await this.#run("flush", undefined, options?.signal, () => this.#writer!.flush());
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  override details(): Details {
    return {
      options: { directory: this.#directory, ...this.#options },
      stats: {
        temporaryFilesSwept: this.#swept,
        folderSyncs: this.#writer?.folderSyncs ?? 0,
        openStreams: this.#reader.openStreams,
      },
    };
  }

  /** A call about one key, which must have a path. */
  #on<T>(operation: OperationName, key: string, signal: AbortSignal | undefined, work: (path: string) => Promise<T>): Promise<T> {
    try {
      checkKey(key, operation, storageName);
      const path = this.#disk.layout.pathOf(key, operation);
      return this.#run(operation, key, signal, () => work(path));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A call, which an abort ends at once: what is under way then cleans up behind it. */
  async #run<T>(operation: OperationName, key: string | undefined, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      const running = this.#lifecycle.run(operation, work, signal);
      return await (signal === undefined ? running : untilAborted(running, signal));
    } catch (error) {
      throw translate(error, { operation, key });
    }
  }

  async #open(): Promise<void> {
    await openFolder(this.#disk, this.#directory, this.#options.durability === "power");
    this.#writer = new Writer(this.#disk, this.#options.durability === "power");
    this.#swept += await this.#writer.sweep();
  }

  async #release(): Promise<void> {
    this.#reader.stop(
      new StorageError("closed", 'The storage "file" was closed while this stream was open.', { operation: "read", storage: storageName }),
    );
    await this.#writer?.close();
  }
}

const conditionsOf = (options: PutOptions | undefined): Pick<PutOptions, "ifMatch" | "ifNoneMatch" | "signal"> => ({
  ifMatch: options?.ifMatch,
  ifNoneMatch: options?.ifNoneMatch,
  signal: options?.signal,
});

const openSource = (source: ByteSource): ReadableStream<Bytes> | AsyncIterable<Bytes> =>
  typeof source === "function" ? source() : source instanceof Blob ? source.stream() : source;

function directoryOf(directory: unknown): string {
  if (directory instanceof URL && directory.protocol === "file:") return withSlashes(fileURLToPath(directory));
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return withSlashes(resolve(directory));
  throw new StorageError("invalid-option", "directory must be the path of a folder, or a file: URL.", { storage: storageName });
}

function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  throw new StorageError("invalid-option", `${name} must be ${choices.map((choice) => `"${choice}"`).join(" or ")}.`, {
    storage: storageName,
  });
}
