import * as fs from "node:fs";

/** A value now or later: the direct calls answer at once, those of the thread pool with a promise. */
export type Answer<T> = T | Promise<T>;

/** What is asked about a file, a part of `BigIntStats`. */
export interface FileStat {
  readonly dev: bigint;
  readonly ino: bigint;
  /** Kind and permissions. */
  readonly mode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly birthtimeNs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** One name in a folder. */
export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** A folder that is being read, name by name. */
export interface FolderReader {
  next(): Answer<FolderEntry | null>;
  close(): Answer<void>;
}

/** The calls to the system, under their names in POSIX. They fail with the errors of `node:fs`. */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Answer<number>;
  close(fd: number): Answer<void>;
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Answer<number>;
  /** Appends a part of the buffer and answers how much of it went out, which may be less. */
  write(fd: number, buffer: Uint8Array, offset: number, length: number): Answer<number>;
  /** Appends the buffers in order and answers how many bytes went out, which may be less. */
  writev(fd: number, buffers: readonly Uint8Array[]): Answer<number>;
  fsync(fd: number): Answer<void>;
  fstat(fd: number): Answer<FileStat>;
  /** About the path itself, not what a link there points to; `undefined` where nothing is. */
  lstat(path: string): Answer<FileStat | undefined>;
  utimes(path: string, seconds: number): Answer<void>;
  chmod(path: string, mode: number): Answer<void>;
  rename(from: string, to: string): Answer<void>;
  link(existing: string, path: string): Answer<void>;
  unlink(path: string): Answer<void>;
  mkdir(path: string): Answer<void>;
  rmdir(path: string): Answer<void>;
  opendir(path: string): Answer<FolderReader>;
  realpath(path: string): Answer<string>;
}

/** The same calls, each answered at once. */
export type DirectCalls = {
  readonly [Name in keyof FileCalls]: (...args: Parameters<FileCalls[Name]>) => Exclude<ReturnType<FileCalls[Name]>, Promise<unknown>>;
};

/** A lock that the kernel frees when its process ends, however it ends. */
export interface FileLock {
  /** Takes the lock, or answers `false` while somebody else has it. */
  tryAcquire(): boolean;
  release(): void;
  close(): void;
}

/** The port through which the storage reaches the disk. Tests put a failing one, or a simulated disk, in its place. */
export interface FileSystem {
  /** Whose rules about names and open files hold. @default that of the process */
  readonly platform?: NodeJS.Platform | undefined;
  /** Calls that answer at once and block the thread. */
  readonly direct: DirectCalls;
  /** The same calls on the thread pool. */
  readonly pool: FileCalls;
  /** Opens the lock that lives at a path, and makes its file. */
  openLock(path: string): Promise<FileLock>;
}

/** Names read from a folder at once. */
const folderBuffer = 512;

const direct: DirectCalls = {
  open: fs.openSync,
  close: fs.closeSync,
  read: fs.readSync,
  write: (fd, buffer, offset, length) => fs.writeSync(fd, buffer, offset, length),
  writev: (fd, buffers) => fs.writevSync(fd, buffers),
  fsync: fs.fsyncSync,
  fstat: (fd) => fs.fstatSync(fd, { bigint: true }),
  lstat(path) {
    try {
      return fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      return orMissing(error);
    }
  },
  utimes: (path, seconds) => fs.utimesSync(path, seconds, seconds),
  chmod: fs.chmodSync,
  rename: fs.renameSync,
  link: fs.linkSync,
  unlink: fs.unlinkSync,
  mkdir(path) {
    fs.mkdirSync(path);
  },
  rmdir: (path) => fs.rmdirSync(path),
  opendir(path) {
    const folder = fs.opendirSync(path, { bufferSize: folderBuffer });
    return { next: () => folder.readSync(), close: () => folder.closeSync() };
  },
  realpath: (path) => fs.realpathSync.native(path),
};

const pool: FileCalls = {
  open: (path, flags, mode) => new Promise((resolve, reject) => fs.open(path, flags, mode, settle(resolve, reject))),
  close: (fd) => new Promise((resolve, reject) => fs.close(fd, done(resolve, reject))),
  read: (fd, buffer, offset, length, position) =>
    new Promise((resolve, reject) => fs.read(fd, buffer, offset, length, position, settle(resolve, reject))),
  write: (fd, buffer, offset, length) =>
    new Promise((resolve, reject) => fs.write(fd, buffer, offset, length, null, settle(resolve, reject))),
  writev: (fd, buffers) => new Promise((resolve, reject) => fs.writev(fd, buffers as Uint8Array[], settle(resolve, reject))),
  fsync: (fd) => new Promise((resolve, reject) => fs.fsync(fd, done(resolve, reject))),
  fstat: (fd) => new Promise((resolve, reject) => fs.fstat(fd, { bigint: true }, settle(resolve, reject))),
  lstat: (path) =>
    new Promise<FileStat | undefined>((resolve, reject) => fs.lstat(path, { bigint: true }, settle(resolve, reject))).catch(orMissing),
  utimes: (path, seconds) => new Promise((resolve, reject) => fs.utimes(path, seconds, seconds, done(resolve, reject))),
  chmod: (path, mode) => new Promise((resolve, reject) => fs.chmod(path, mode, done(resolve, reject))),
  rename: (from, to) => new Promise((resolve, reject) => fs.rename(from, to, done(resolve, reject))),
  link: (existing, path) => new Promise((resolve, reject) => fs.link(existing, path, done(resolve, reject))),
  unlink: (path) => new Promise((resolve, reject) => fs.unlink(path, done(resolve, reject))),
  mkdir: (path) => new Promise((resolve, reject) => fs.mkdir(path, done(resolve, reject))),
  rmdir: (path) => new Promise((resolve, reject) => fs.rmdir(path, done(resolve, reject))),
  opendir: (path) =>
    new Promise<fs.Dir>((resolve, reject) => fs.opendir(path, { bufferSize: folderBuffer }, settle(resolve, reject))).then((folder) => ({
      next: () => folder.read(),
      close: () => folder.close(),
    })),
  realpath: (path) => new Promise((resolve, reject) => fs.realpath.native(path, settle(resolve, reject))),
};

/** The disk itself. */
export const nodeFileSystem: FileSystem = { direct, pool, openLock };

/** The number of SQLite's "busy", the last eight bits of its codes. */
const busy = 5;

/**
 * A write transaction on an empty SQLite file, of which nothing but its kernel lock is used: with the journal in memory
 * nothing is ever written, so a full disk does not matter and nothing in the file can break. Nothing else in this process
 * may open that file: closing it would free the lock.
 */
async function openLock(path: string): Promise<FileLock> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = MEMORY");
  const begin = database.prepare("BEGIN IMMEDIATE");
  const rollback = database.prepare("ROLLBACK");
  return {
    tryAcquire() {
      try {
        begin.run();
        return true;
      } catch (error) {
        if ((error as { errcode?: number }).errcode === undefined || ((error as { errcode: number }).errcode & 0xff) !== busy) throw error;
        return false;
      }
    },
    release: () => void rollback.run(),
    close: () => database.close(),
  };
}

type Resolve<T> = (value: T) => void;
type Reject = (error: Error) => void;

const settle =
  <T>(resolve: Resolve<T>, reject: Reject) =>
  (error: Error | null, value: T): void =>
    error === null ? resolve(value) : reject(error);

const done =
  (resolve: Resolve<void>, reject: Reject) =>
  (error: Error | null): void =>
    error === null ? resolve() : reject(error);

/** Nothing is there, and nothing can be below a file. */
function orMissing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}
