import type { Storages } from "@stowage/config";
import { loadStorages } from "@stowage/config";
import type { AnyStorage, ByteStorage, EntryInfo, Operation } from "@stowage/core";
import { scan } from "@stowage/core";

/** Runs a piece of work with the storages of a file open. */
export async function withStorages<T>(file: string, work: (storages: Storages) => Promise<T>): Promise<T> {
  const storages = await loadStorages(file);
  try {
    return await work(storages);
  } finally {
    await storages.close();
  }
}

/** Everything in a storage of bytes: value, metadata and expiry under each key. */
export async function contentsOf(storage: ByteStorage): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for await (const keys of chunksOf(scan(storage), 500)) {
    for (const entry of await storage.getEntries(keys.map(({ key }) => key))) {
      if (entry === undefined) continue;
      const value = Buffer.from(entry.value).toString("base64");
      contents.set(entry.key, JSON.stringify([value, entry.metadata ?? {}, entry.expiresAt]));
    }
  }
  return contents;
}

export async function keysOf(storage: AnyStorage): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of scan(storage)) keys.push(key);
  return keys.toSorted();
}

export interface Filling {
  /** Whether every third entry has metadata, and every other third an expiry. */
  readonly whole: boolean;
}

/** Puts entries of many sizes: small ones, and some that are large enough to stream. */
export async function fill(storage: ByteStorage, count: number, { whole }: Filling): Promise<void> {
  for (let start = 0; start < count; start += 1_000) {
    const operations = Array.from({ length: Math.min(1_000, count - start) }, (_, index) => putOf(start + index, whole));
    await storage.batch(operations);
  }
}

const year = 365 * 24 * 3_600_000;

function putOf(number: number, whole: boolean): Operation<Uint8Array<ArrayBuffer>> {
  const size = number % 1_000 === 7 ? 300_000 + number : number % 200;
  const value = new Uint8Array(size).fill(number % 251);
  if (size >= 4) new DataView(value.buffer).setUint32(0, number);
  const options = whole ? [{ metadata: { number: `${number}` } }, { expiresAt: Date.now() + year + number }, {}][number % 3] : {};
  return { type: "put", key: `entries/${number % 10}/${number}`, value, options };
}

async function* chunksOf(infos: AsyncIterable<EntryInfo>, size: number): AsyncGenerator<EntryInfo[]> {
  let chunk: EntryInfo[] = [];
  for await (const info of infos) {
    chunk.push(info);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  yield chunk;
}
