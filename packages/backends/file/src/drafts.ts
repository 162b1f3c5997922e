import { constants } from "node:fs";
import type { ByteSource } from "@stowage/core";
import { readSource, wrongSize } from "@stowage/core";
import type { Disk } from "./disk.ts";
import { storageName, systemCode } from "./errors.ts";
import type { Answer, DirectCalls, FileCalls, FileStat } from "./file-system.ts";
import type { Choice } from "./governor.ts";
import type { Solo } from "./solo.ts";
import type { TemporaryFiles } from "./temporary-files.ts";
import { incomplete, writeAll, writeValue } from "./writing.ts";

/** Bytes of a stream that are written at once. */
const pieceSize = 1024 * 1024;

/** Chunks of a stream that are written at once. */
const pieceCount = 512;

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** A value on its way: complete, in a file that no key leads to yet. */
export interface Draft {
  readonly name: string;
  path: string;
  stat: FileStat;
  /** Made by the only writer, so that it can be published without locks. */
  solo: boolean;
}

/** Carries an error of a source, to be handed on as it is. */
export class SourceError extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("The source failed.");
    this.reason = reason;
  }
}

/** What is done to a draft before it is synced. */
export type Finishing = (draft: Draft) => void;

/** Writes values into temporary files. Whatever fails leaves none behind. */
export class Drafts {
  readonly #disk: Disk;
  readonly #temporary: TemporaryFiles;
  readonly #solo: Solo;
  /** Makes the folders for drafts, again where somebody removed them. */
  readonly #prepare: () => Promise<void>;

  constructor(disk: Disk, temporary: TemporaryFiles, solo: Solo, prepare: () => Promise<void>) {
    this.#disk = disk;
    this.#temporary = temporary;
    this.#solo = solo;
    this.#prepare = prepare;
  }

  /** A draft of a whole value. With `finishing`, it is on disk afterwards. */
  async ofValue(choice: Choice, value: Uint8Array, finishing: Finishing | undefined): Promise<Draft> {
    const { descriptors } = this.#disk;
    await descriptors.take();
    try {
      return await this.#draft(choice.names, finishing, (fd) => writeValue(choice.bytes, fd, value));
    } finally {
      descriptors.give();
    }
  }

  /**
   * A draft of a whole value that need not be synced, in one go by direct calls. Answers `undefined`, with nothing done,
   * where something is not as it mostly is.
   */
  ofValueNow(value: Uint8Array): Draft | undefined {
    const { descriptors, governor } = this.#disk;
    if (!descriptors.isFree) return undefined;
    const draft = this.#begin();
    let fd: number;
    try {
      fd = governor.direct.open(draft.path, createFlags, 0o666);
    } catch (error) {
      if (unlucky.has(systemCode(error) ?? "")) return undefined;
      throw error;
    }
    let written = 0;
    let closed = false;
    try {
      written = value.byteLength === 0 ? 0 : governor.direct.write(fd, value, 0, value.byteLength);
      draft.stat = governor.direct.fstat(fd);
      closed = true;
      governor.direct.close(fd);
    } catch (error) {
      if (!closed) closeQuietly(governor.direct, fd);
      this.discard(draft);
      throw error;
    }
    if (written === value.byteLength && draft.stat.size === BigInt(written)) return draft;
    this.discard(draft);
    return undefined;
  }

  /** A draft of what a source gives, which is cancelled however this fails. */
  async ofSource(
    choice: Choice,
    source: ByteSource,
    { key, size, signal }: { readonly key: string; readonly size: number | undefined; readonly signal: AbortSignal | undefined },
    finishing: Finishing | undefined,
  ): Promise<Draft> {
    return await this.#draft(choice.names, finishing, async (fd) => {
      let received = 0;
      let pieces: Uint8Array[] = [];
      let pending = 0;
      let writing: Promise<void> | undefined;
      const send = async (): Promise<void> => {
        const full = pieces;
        pieces = [];
        pending = 0;
        await writing;
        writing = writeAll(this.#disk.fileSystem.pool, fd, full);
        writing.catch(() => {}); // whoever waits for it next hears of it
      };
      try {
        for await (const chunk of fromSource(source, signal)) {
          received += chunk.byteLength;
          if (size !== undefined && received > size) throw wrongSize(size, "more", storageName, key);
          if (chunk.byteLength === 0) continue;
          pieces.push(chunk);
          pending += chunk.byteLength;
          if (pending >= pieceSize || pieces.length >= pieceCount) await send();
        }
        if (size !== undefined && received < size) throw wrongSize(size, String(received), storageName, key);
        if (pieces.length > 0) await send();
      } finally {
        await writing;
      }
      return received;
    });
  }

  /** Whether somebody took the draft out of the folder of the only writer; it is known by its new path then. */
  async wasMoved(draft: Draft): Promise<boolean> {
    if (!draft.solo || (await this.#disk.fileSystem.pool.lstat(draft.path)) !== undefined) return false;
    this.#solo.end();
    draft.solo = false;
    draft.path = this.#pathOf(draft.name, false);
    return true;
  }

  /** Removes a draft, also from where somebody moved it. What cannot be removed is left to the next sweep. */
  discard(draft: Draft): void {
    const { direct } = this.#disk.governor;
    if (!unlinkQuietly(direct, draft.path) && draft.solo) unlinkQuietly(direct, this.#pathOf(draft.name, false));
  }

  async #draft(names: FileCalls, finishing: Finishing | undefined, fill: (fd: number) => Answer<number>): Promise<Draft> {
    const { direct } = this.#disk.governor;
    const draft = this.#begin();
    const fd = await this.#create(names, draft);
    let closed = false;
    try {
      const size = await fill(fd);
      draft.stat = direct.fstat(fd);
      if (draft.stat.size !== BigInt(size)) throw incomplete();
      if (finishing !== undefined) {
        await this.#finish(draft, finishing);
        await this.#disk.fileSystem.pool.fsync(fd);
      }
      closed = true;
      direct.close(fd);
      return draft;
    } catch (error) {
      if (!closed) closeQuietly(direct, fd);
      this.discard(draft);
      throw error;
    }
  }

  async #finish(draft: Draft, finishing: Finishing): Promise<void> {
    try {
      finishing(draft);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || !(await this.wasMoved(draft))) throw error;
      finishing(draft);
    }
  }

  #begin(): Draft {
    const name = this.#temporary.next();
    const solo = this.#solo.alone;
    return { name, path: this.#pathOf(name, solo), stat: noStat, solo };
  }

  #pathOf(name: string, solo: boolean): string {
    return `${solo ? this.#solo.folder : this.#solo.shared}/${name}`;
  }

  /** Makes the file of a draft: where the only writer has its drafts, else where all have them. */
  async #create(names: FileCalls, draft: Draft): Promise<number> {
    const { descriptors } = this.#disk;
    for (let attempt = 0; ; attempt++) {
      draft.path = this.#pathOf(draft.name, draft.solo);
      try {
        return await descriptors.open(names, draft.path, createFlags, 0o666);
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || attempt > 1) throw error;
      }
      if (draft.solo) this.#solo.end();
      else await this.#prepare();
      draft.solo = this.#solo.alone;
    }
  }
}

/** Keeps an error of the source apart from those of the disk, which are translated. */
async function* fromSource(source: ByteSource, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* readSource(source, signal);
  } catch (error) {
    throw new SourceError(error);
  }
}

function closeQuietly(calls: DirectCalls, fd: number): void {
  try {
    calls.close(fd);
  } catch {
    // The first error is the one to tell.
  }
}

function unlinkQuietly(calls: DirectCalls, path: string): boolean {
  try {
    calls.unlink(path);
    return true;
  } catch {
    return false;
  }
}

/** What `open` says of a draft when folders or descriptors are missing, which the general way knows to help. */
const unlucky = new Set(["ENOENT", "EMFILE", "ENFILE"]);

const noStat: FileStat = {
  dev: 0n,
  mode: 0n,
  ino: 0n,
  size: 0n,
  mtimeNs: 0n,
  birthtimeNs: 0n,
  isFile: () => false,
  isDirectory: () => false,
};
