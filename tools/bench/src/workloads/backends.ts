import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { ByteStorage } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { keyvStorage } from "@stowage/keyv";
import { levelStorage } from "@stowage/level";
import { lmdbStorage } from "@stowage/lmdb";
import { memoryStorage } from "@stowage/memory";
import { redisStorage } from "@stowage/redis";
import { s3Storage } from "@stowage/s3";
import { sqliteStorage } from "@stowage/sqlite";
import { cephServer, redisServer, skipReason } from "@stowage-tools/servers";
import { getting, keysOf } from "../harness/calls.ts";
import type { Comparison, Contender, Rounds } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";
import type { ByHand } from "./ordered-stores.ts";
import { fill, inBatchesOf, inFlight, keysIn, listing, putting, together } from "./ordered-stores.ts";

/** All backends side by side, each as it is made by default. */
export const backends: Workload = {
  name: "backends",
  about:
    "Values of 1 KiB under 10,000 keys. Each backend as it is made by default: files on the disk, a Redis server and Ceph on the same machine, Ceph with its data in memory. In brackets how many times as long as memory it takes.",
  async run(bench) {
    const closing: (() => Promise<void>)[] = [];
    const onEnd = (close: () => Promise<void>): void => void closing.push(close);
    try {
      const { storages, missing } = await openAll(await bench.folder("disk"), onEnd);
      await measure(bench, storages, join(await bench.folder("disk"), "log"));
      if (missing.length > 0) bench.report.table("not measured", ["what is missing"], missing);
    } finally {
      for (const close of closing.toReversed()) await close();
    }
  },
};

type OnEnd = (close: () => Promise<void>) => void;

interface Opened {
  readonly storages: readonly ByteStorage[];
  /** What cannot run here, and why. */
  readonly missing: readonly (readonly [reason: string])[];
}

async function openAll(folder: string, onEnd: OnEnd): Promise<Opened> {
  const storages: ByteStorage[] = [
    memoryStorage(),
    fileStorage({ directory: join(folder, "file") }),
    sqliteStorage({ path: join(folder, "sqlite.db") }),
    lmdbStorage({ path: join(folder, "lmdb.mdb") }),
    levelStorage({ directory: join(folder, "level") }),
  ];
  const servers = { redis: startRedis, ceph: startS3 };
  const missing: [reason: string][] = [];
  for (const [name, start] of Object.entries(servers)) {
    const reason = skipReason(name as keyof typeof servers);
    if (reason === undefined) storages.push(await start(onEnd));
    else missing.push([reason]);
  }
  storages.push(keyvStorage({ store: new Map<string, string>() }));
  for (const storage of storages) onEnd(() => storage.close());
  return { storages, missing };
}

async function startRedis(onEnd: OnEnd): Promise<ByteStorage> {
  const server = await redisServer();
  onEnd(() => server.stop());
  return redisStorage({ url: server.url });
}

async function startS3(onEnd: OnEnd): Promise<ByteStorage> {
  const server = await cephServer();
  onEnd(() => server.stop());
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "backends" }));
  client.destroy();
  return s3Storage({ bucket: "backends", endpoint, region, credentials: { accessKeyId, secretAccessKey } });
}

const limit = "memory";
const byHand = "a write and a sync by hand";
const survives = { memory: "nothing", process: "the end of the process", power: "loss of power" } as const;

async function measure(bench: Bench, storages: readonly ByteStorage[], path: string): Promise<void> {
  // In one folder, where folders are a matter.
  const keys = keysOf(bench.pick(10_000, 100)).map((key) => key.replaceAll("/", "."));
  const data = { keys, values: keys.map((_, index) => new Uint8Array(1024).fill(index)) };
  const few = { keys: keys.slice(0, bench.pick(64, 32)), values: data.values };
  for (const storage of storages) await inBatchesOf(data, (part) => fill(storage, part));

  const file = await open(path, "w");
  const each = (make: (storage: ByteStorage) => Contender, rounds: Rounds, ...others: readonly Contender[]): Promise<Comparison> =>
    compare([...storages.map(make), ...others], rounds);
  const columns: Readonly<Record<string, Comparison>> = {
    get: await each((storage) => getting(storage.name, storage, few), bench.quick),
    put: await each((storage) => putting(storage.name, storage, few), bench.slow, putting(byHand, syncing(file), few)),
    [`put, ${inFlight} in flight`]: await each((storage) => together(storage.name, storage, few), bench.slow),
    "list, each key": await each((storage) => listing(storage.name, data, () => keysIn(storage)), bench.quick),
  };
  await file.close();

  const rows = storages.map(({ name, capabilities }) => [
    name,
    survives[capabilities.durability],
    ...Object.values(columns).map((result) => cell(result, name)),
  ]);
  bench.report.table(
    "µs for one operation",
    ["backend", "a put survives", ...Object.keys(columns)],
    [...rows, [byHand, survives.power, "", cell(columns["put"]!, byHand)]],
  );
}

const cell = (result: Comparison, name: string): string =>
  name === limit
    ? figure(result.nanoseconds(name) / 1_000)
    : `${figure(result.nanoseconds(name) / 1_000)} (${figure(1 / result.ratio(name, limit))})`;

/** What a disk needs for one write that is to survive: bytes at the end of a file, and a sync. */
function syncing(file: FileHandle): Pick<ByHand, "put"> {
  return {
    async put(_, value) {
      await file.write(value);
      await file.datasync();
    },
  };
}
