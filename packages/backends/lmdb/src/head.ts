import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";

/** Where things are in a page. Source: mdb.c of lmdb-js, MDB_page and MDB_meta */
const pageHeader = 24;
const magicAt = pageHeader;
const versionAt = pageHeader + 4;
const freeTreeAt = pageHeader + 24;
const mainTreeAt = freeTreeAt + 48;
const rootAt = 40;
const lastPageAt = mainTreeAt + 48;
const transactionAt = lastPageAt + 8;

const magic = 0xbeefc0de;
const dataVersion = 2;
const noPage = 0xffff_ffff_ffff_ffffn;

/**
 * Looks at a file before LMDB does, which trusts what it finds: a file of something else would end the process. Its heads
 * and the roots of its trees must be there. What is refused is left as it is.
 *
 * @throws StorageError `corrupt` where it is no database or a damaged one, `unsupported` where it is of another version of LMDB
 */
export async function checkHead(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isFile()) refuse("config", "The path of the database leads to something that is not a file; choose another path.");
  if (found.size === 0) return;
  const file = await open(path, "r");
  try {
    await checkPages(file);
  } finally {
    await file.close();
  }
}

/** What is read of a file. */
type Readable = Pick<FileHandle, "read">;

/** The newer one of the two heads. */
interface Head {
  readonly pageSize: number;
  readonly meta: Buffer;
}

/** Others may commit meanwhile, and use pages again that a head led to. Only a head that is still there leads to damage. */
export async function checkPages(file: Readable): Promise<void> {
  let head = await newestHead(file);
  while (!(await leadsToRoots(file, head))) {
    const before = head.meta;
    head = await newestHead(file);
    if (head.meta.equals(before)) refuseDamaged();
  }
}

async function newestHead(file: Readable): Promise<Head> {
  const first = await metaAt(file, 0);
  const pageSize = first.readUInt32LE(freeTreeAt);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) refuseDamaged();
  const second = await metaAt(file, pageSize);
  return { pageSize, meta: first.readBigUInt64LE(transactionAt) > second.readBigUInt64LE(transactionAt) ? first : second };
}

async function leadsToRoots(file: Readable, { meta, pageSize }: Head): Promise<boolean> {
  const lastPage = meta.readBigUInt64LE(lastPageAt);
  for (const tree of [freeTreeAt, mainTreeAt]) {
    const root = meta.readBigUInt64LE(tree + rootAt);
    if (root === noPage) continue;
    if (root > lastPage) return false;
    const page = await bytesAt(file, Number(root) * pageSize, pageHeader);
    if (page.length < pageHeader || page.readBigUInt64LE(0) !== root) return false;
  }
  return true;
}

async function metaAt(file: Readable, position: number): Promise<Buffer> {
  const meta = await bytesAt(file, position, transactionAt + 8);
  if (meta.length < transactionAt + 8 || meta.readUInt32LE(magicAt) !== magic) refuseDamaged();
  const version = meta.readUInt32LE(versionAt) & 0xffff;
  if (version !== dataVersion)
    refuse("unsupported", `The database is of version ${version} of LMDB, and this package knows ${dataVersion}.`);
  return meta;
}

async function bytesAt(file: Readable, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function refuseDamaged(): never {
  refuse("corrupt", "The file is no LMDB database, or it is damaged; nothing was changed.");
}

function refuse(code: ErrorCode, message: string): never {
  throw new StorageError(code, message, { storage: storageName });
}
