import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { CachedStorage } from "@stowage/cached";
import type { Bytes, ByteStorage, EntryInfo, Storage } from "@stowage/core";
import { findLayer, forEachConcurrently, scan, update } from "@stowage/core";
import type { PlaceMetrics } from "@stowage/metrics";
import { metricsOf } from "@stowage/metrics";
import type { Found, FoundFile } from "./folder.ts";
import type { Progress } from "./progress.ts";

/** What the index knows of a file. */
export interface IndexEntry {
  readonly size: number;
  readonly sha256: string;
}

/** What the index knows of the runs, under a key of its own. */
export interface Runs {
  readonly runs: number;
  readonly files: number;
}

export interface Summary {
  readonly found: Found;
  readonly bytesIn: number;
  readonly bytesStored: number;
  readonly putLatencies: Float64Array;
  readonly getLatencies: Float64Array;
  /** Milliseconds for all puts, and for all gets. */
  readonly putTime: number;
  readonly getTime: number;
  readonly listed: number;
  /** Entries of files that are gone from the folder. */
  readonly removed: number;
  readonly runs: number;
  /** What was measured above each part of the stack of the files, from the backend up; empty where it has no metrics. */
  readonly places: readonly PlaceMetrics[];
  /** The same for the stack of the index. */
  readonly indexPlaces: readonly PlaceMetrics[];
  /** The share of reads of the index that memory answered; `undefined` where it has no cache. */
  readonly hitRatio: number | undefined;
  /** Keys that did not come back as they were. */
  readonly different: readonly string[];
}

/** Larger files are streamed. */
const streamedFrom = 4 * 1024 * 1024;
const inFlight = 8;

/** The main job: put all, read all back, list, remove what is gone, count the run by compare-and-set. */
export async function runJob(
  found: Found,
  files: ByteStorage,
  index: Storage<IndexEntry | Runs>,
  startProgress: (title: string, total: number) => Progress,
  signal: AbortSignal,
): Promise<Summary> {
  const different: string[] = [];
  const put = await timed("put", found, startProgress, async (file) => {
    const entry = await putFile(file, files, signal);
    await index.put(`files/${file.key}`, entry, { signal });
  });
  const get = await timed("get", found, startProgress, async (file) => {
    if (!(await isSame(file, files, index, signal))) different.push(file.key);
  });
  const { listed, removed } = await listAndTidy(found, files, index, signal);
  const { runs } = await countRun(index, `runs/${found.prefix}`, found.files.length, signal);
  return {
    found,
    bytesIn: found.files.reduce((sum, { size }) => sum + size, 0),
    bytesStored: await storedSize(files, found.prefix),
    putLatencies: put.latencies,
    getLatencies: get.latencies,
    putTime: put.time,
    getTime: get.time,
    listed,
    removed,
    runs,
    places: metricsOf(files),
    indexPlaces: metricsOf(index),
    hitRatio: findLayer(index, CachedStorage)?.stats().hitRatio,
    different,
  };
}

async function putFile(file: FoundFile, files: ByteStorage, signal: AbortSignal): Promise<IndexEntry> {
  if (file.size > streamedFrom) {
    await files.write(file.key, await openAsBlob(file.path), { signal });
    return { size: file.size, sha256: await hashStream((await openAsBlob(file.path)).stream() as ReadableStream<Bytes>) };
  }
  const content = await readFile(file.path);
  await files.put(file.key, content, { signal });
  return { size: content.byteLength, sha256: hashOf(content) };
}

/** Whether what is stored is what was put, by its hash: somebody may have saved the file again since then. */
async function isSame(file: FoundFile, files: ByteStorage, index: Storage<IndexEntry | Runs>, signal: AbortSignal): Promise<boolean> {
  const known = (await index.get(`files/${file.key}`, { signal })) as IndexEntry | undefined;
  if (file.size > streamedFrom) {
    const entry = await files.read(file.key, { signal });
    return entry !== undefined && (await hashStream(entry.value)) === known?.sha256;
  }
  const stored = await files.get(file.key, { signal });
  return stored !== undefined && stored.byteLength === known?.size && hashOf(stored) === known.sha256;
}

const hashOf = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

async function hashStream(stream: ReadableStream<Bytes>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

/** Runs a step for every file, eight at once, and times each. */
async function timed(
  title: string,
  { files }: Found,
  startProgress: (title: string, total: number) => Progress,
  step: (file: FoundFile) => Promise<void>,
): Promise<{ latencies: Float64Array; time: number }> {
  const progress = startProgress(title, files.length);
  const latencies = new Float64Array(files.length);
  const start = performance.now();
  try {
    await forEachConcurrently(files, inFlight, async (file, position) => {
      const begin = performance.now();
      await step(file);
      latencies[position] = performance.now() - begin;
      progress.advance();
    });
  } finally {
    progress.stop();
  }
  return { latencies, time: performance.now() - start };
}

async function listAndTidy(
  found: Found,
  files: ByteStorage,
  index: Storage<IndexEntry | Runs>,
  signal: AbortSignal,
): Promise<{ listed: number; removed: number }> {
  const expected = new Set(found.files.map(({ key }) => key));
  const gone: string[] = [];
  let listed = 0;
  for await (const { key } of scan(files, { prefix: found.prefix, signal })) {
    if (expected.has(key)) listed++;
    else gone.push(key);
  }
  await files.batch(
    gone.map((key) => ({ type: "delete", key })),
    { signal },
  );
  await index.batch(
    gone.map((key) => ({ type: "delete", key: `files/${key}` })),
    { signal },
  );
  return { listed, removed: gone.length };
}

async function countRun(index: Storage<IndexEntry | Runs>, key: string, files: number, signal: AbortSignal): Promise<Runs> {
  let runs = 0;
  await update(
    index,
    key,
    (known) => {
      runs = ((known as Runs | undefined)?.runs ?? 0) + 1;
      return { runs, files };
    },
    { signal },
  );
  return { runs, files };
}

/** What the backend at the bottom of the stack holds. */
async function storedSize(files: ByteStorage, prefix: string): Promise<number> {
  let backend = files;
  while (backend.inner[0] !== undefined) backend = backend.inner[0] as ByteStorage;
  let size = 0;
  for await (const entry of scan(backend, { prefix, info: true }) as AsyncIterable<EntryInfo>) size += entry.size ?? 0;
  return size;
}
