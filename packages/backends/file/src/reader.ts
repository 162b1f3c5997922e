import { constants } from "node:fs";
import type { Bytes } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { storageName, systemCode } from "./errors.ts";
import type { FileCalls, FileStat } from "./file-system.ts";
import type { Choice } from "./governor.ts";

/** Bytes of one read of a stream. */
const chunkSize = 256 * 1024;

/** Bytes of one read of a whole value: few calls, and none that cannot be stopped for long. */
const longestRead = 16 * 1024 * 1024;

/** Links are not followed, and neither a pipe nor a terminal can hold the process. */
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** What `open` says of a path that leads to no regular file: nothing, below a file, a link, a socket. */
const notAFile = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EMLINK", "ENXIO", "ENODEV", "EISDIR", "EOPNOTSUPP"]);

/** An entry as it was found: its file stays whole while it is open, even when the key gets another value. */
export interface OpenFile {
  readonly fd: number;
  readonly stat: FileStat;
}

/** Reads entries. Paths are relative. */
export class Reader {
  readonly #disk: Disk;
  /** Streams that callers have not finished, to be closed with the storage. */
  readonly #streams = new Set<(reason: unknown) => void>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  async head(path: string): Promise<FileStat | undefined> {
    const { names } = await this.#disk.governor.choose(0);
    const stat = await names.lstat(this.#disk.absolute(path));
    if (stat === undefined) await this.#disk.checkTop(names);
    if (stat === undefined || !stat.isFile()) return undefined;
    return this.#disk.mayHaveObstacle(path) && (await this.#disk.obstacleAt(names, path)) !== undefined ? undefined : stat;
  }

  async get(path: string): Promise<{ readonly stat: FileStat; readonly value: Bytes } | undefined> {
    const { governor, descriptors } = this.#disk;
    const choice = await governor.choose(0);
    await descriptors.take();
    try {
      const file = await this.#open(choice, path);
      if (file === undefined) return undefined;
      try {
        return { stat: file.stat, value: await readWhole(governor.sized(choice, Number(file.stat.size)), file) };
      } finally {
        governor.direct.close(file.fd);
      }
    } finally {
      descriptors.give();
    }
  }

  /** The open file under a path, or `undefined`; whoever gets it closes it. */
  async open(path: string): Promise<OpenFile | undefined> {
    const { governor, descriptors } = this.#disk;
    const choice = await governor.choose(0);
    await descriptors.take();
    try {
      return await this.#open(choice, path);
    } finally {
      descriptors.give();
    }
  }

  close(file: OpenFile): void {
    this.#disk.governor.direct.close(file.fd);
  }

  /** The bytes of a part as a stream, which closes the file when it ends, fails, is cancelled or aborted. */
  stream(
    file: OpenFile,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
    fail: (error: unknown) => unknown,
  ): ReadableStream<Bytes> {
    let position = start;
    let stop = (_reason: unknown): void => {};
    let reading: Promise<unknown> | undefined;
    const finish = (): void => {
      this.#streams.delete(stop);
      signal?.removeEventListener("abort", onAbort);
      // A read that is under way may not be left with the descriptor of another file.
      if (reading === undefined) this.close(file);
      else
        void reading.then(
          () => this.close(file),
          () => this.close(file),
        );
    };
    const onAbort = (): void => stop(signal?.reason);
    let open = true;
    const finishOnce = (): void => {
      if (open) finish();
      open = false;
    };
    return new ReadableStream<Bytes>({
      start: (controller) => {
        if (position >= end) {
          finishOnce();
          controller.close();
          return;
        }
        stop = (reason) => {
          if (!open) return;
          finishOnce();
          controller.error(reason);
        };
        this.#streams.add(stop);
        if (signal?.aborted) onAbort();
        else signal?.addEventListener("abort", onAbort, { once: true });
      },
      pull: async (controller) => {
        const length = Math.min(chunkSize, end - position);
        const chunk = allocate(length);
        let filled = 0;
        try {
          while (filled < length) {
            const pending = this.#disk.fileSystem.pool.read(file.fd, chunk, filled, length - filled, position + filled);
            reading = pending as Promise<number>;
            const count = await pending;
            reading = undefined;
            if (!open) return;
            if (count === 0) throw changedWhileRead();
            filled += count;
          }
        } catch (error) {
          reading = undefined;
          stop(fail(error));
          return;
        }
        position += length;
        controller.enqueue(chunk);
        if (position < end) return;
        finishOnce();
        controller.close();
      },
      cancel: finishOnce,
    });
  }

  /** Ends the streams that are still open. */
  stop(reason: unknown): void {
    for (const stop of Array.from(this.#streams)) stop(reason);
  }

  async #open({ names }: Choice, path: string): Promise<OpenFile | undefined> {
    if (this.#disk.mayHaveObstacle(path) && (await this.#disk.obstacleAt(names, path)) !== undefined) return undefined;
    let fd: number;
    try {
      fd = await this.#disk.descriptors.open(names, this.#disk.absolute(path), openFlags);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined || !notAFile.has(code)) throw error;
      if (code === "ENOENT") await this.#disk.checkTop(names);
      return undefined;
    }
    const { direct } = this.#disk.governor;
    try {
      const stat = direct.fstat(fd);
      if (stat.isFile()) return { fd, stat };
    } catch (error) {
      direct.close(fd);
      throw error;
    }
    direct.close(fd);
    return undefined;
  }
}

async function readWhole(calls: FileCalls, { fd, stat }: OpenFile): Promise<Bytes> {
  const size = Number(stat.size);
  const value = allocate(size);
  let filled = 0;
  while (filled < size) {
    const count = await calls.read(fd, value, filled, Math.min(size - filled, longestRead), filled);
    if (count === 0) throw changedWhileRead();
    filled += count;
  }
  return value;
}

/** Memory of its own that is not cleared first where that would cost more than it helps: all of it is filled. */
function allocate(size: number): Bytes {
  if (size < 4096) return new Uint8Array(size);
  try {
    return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  } catch (error) {
    throw new StorageError("too-large", "The value does not fit into memory; use read(), which streams it.", {
      storage: storageName,
      cause: error,
    });
  }
}

function changedWhileRead(): StorageError {
  return new StorageError("conflict", "Another program shortened the file while it was read.", { storage: storageName });
}
