import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ByteStorage } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import type { Data, Store } from "../harness/calls.ts";
import { putAll } from "../harness/calls.ts";
import type { Comparison, Contender, Rounds } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { byHandDurably, byHandDurablyDirect, byHandOnThePool, byHandSynchronously } from "../harness/folders.ts";
import { unstorageInFolder } from "../harness/peers.ts";
import { figure, perSecond } from "../harness/report.ts";
import { drain, textOf, textStream } from "../harness/text.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** The file storage against the same system calls by hand. */
export const file: Workload = {
  name: "file",
  about:
    "A folder on tmpfs, so that the disk does not hide the software; what is durable on the disk. In brackets the speed as a share of the limit.",
  async run(bench) {
    for (const size of bench.pick([100, 4096, 2 ** 20], [100])) {
      for (const flight of bench.pick([1, 32], [4])) await inMemory(bench, size, flight);
    }
    await durably(bench);
    await streaming(bench, bench.pick(2 ** 30, 2 ** 20));
  },
};

const pool = "temporary file + rename, pool (limit)";
const direct = "temporary file + rename, synchronous (limit)";
const auto = "file, process";
const pooled = 'file, process, io: "pool"';
const peer = "unstorage, fs";

async function inMemory(bench: Bench, size: number, flight: number): Promise<void> {
  const data = dataOf(size, bench.pick(size > 100_000 ? 32 : 256, 8));
  const stores: Record<string, Store<Uint8Array>> = {
    [pool]: byHandOnThePool(await bench.folder("memory")),
    [direct]: byHandSynchronously(await bench.folder("memory")),
    [auto]: fileStorage({ directory: await bench.folder("memory"), durability: "process" }),
    [pooled]: fileStorage({ directory: await bench.folder("memory"), durability: "process", io: "pool" }),
    [peer]: unstorageInFolder(await bench.folder("memory")),
  };
  const { puts, gets } = await putsAndGets(bench, stores, data, flight);
  const what = `${sizeName(size)}, ${flight} in flight`;
  table(bench, `file on tmpfs, ${what}`, pool, puts, gets, Object.keys(stores));
  bench.report.atLeast(`put, ${what}, on the pool, of temporary file + rename`, puts.ratio(pooled, pool), 0.95);
  if (size <= 16_384 && flight === 1) {
    bench.report.atLeast(`put, ${what}, of unstorage`, puts.ratio(auto, peer), 2);
    bench.report.atLeast(`get, ${what}, of unstorage`, gets.ratio(auto, peer), 4);
  }
  await close(stores);
}

async function durably(bench: Bench): Promise<void> {
  const limit = "by hand, pool (limit)";
  const limitDirect = "by hand, synchronous but for the syncs (limit)";
  const ours = "file, power";
  let alone = 0;
  for (const flight of bench.pick([1, 32], [1, 4])) {
    const data = dataOf(4096, bench.pick(64, 8));
    const stores: Record<string, Store<Uint8Array>> = {
      [limit]: byHandDurably(await bench.folder("disk")),
      [limitDirect]: byHandDurablyDirect(await bench.folder("disk")),
      [ours]: fileStorage({ directory: await bench.folder("disk") }),
    };
    const { puts, gets } = await putsAndGets(bench, stores, data, flight, bench.slow);
    const what = `4 KiB, ${flight} in flight`;
    table(bench, `file on the disk, durable, ${what}`, limit, puts, gets, Object.keys(stores));
    if (flight === 1) {
      alone = puts.nanoseconds(ours);
      bench.report.atLeast(`durable put, ${what}, of the same calls by hand`, puts.ratio(ours, limit), 0.9);
    } else {
      bench.report.atLeast(`durable puts, ${flight} in flight, of as many one by one`, alone / puts.nanoseconds(ours), 1.5);
    }
    await close(stores);
  }
}

async function streaming(bench: Bench, size: number): Promise<void> {
  const folder = await bench.folder("memory");
  const storage = fileStorage({ directory: join(folder, "storage"), durability: "process" });
  await mkdir(join(folder, "raw"));
  const target = join(folder, "raw", "large");
  const text = textOf(8 * 2 ** 20);
  const limit = "pipeline by hand (limit)";
  const ours = "file, process";
  const writes = await compare(
    [
      once(limit, size, async () => {
        await pipeline(Readable.from(textStream(size, text)), createWriteStream(`${target}.tmp`, { highWaterMark: 2 ** 20 }));
        await rename(`${target}.tmp`, target);
      }),
      once(ours, size, async () => void (await storage.write("large", textStream(size, text)))),
    ],
    bench.long,
  );
  const reads = await compare(
    [
      once(limit, size, async () => void (await drain(createReadStream(target, { highWaterMark: 262_144 })))),
      once(ours, size, async () => void (await drain((await storage.read("large"))!.value))),
    ],
    bench.long,
  );
  const cell = (result: Comparison, name: string): string => `${megabytes(result, name)} (${figure(result.ratio(name, limit))})`;
  const rows = [limit, ours].map((name) => [name, cell(writes, name), cell(reads, name)]);
  bench.report.table(`a stream of ${size / 2 ** 20} MiB on tmpfs`, ["contender", "write MB/s", "read MB/s"], rows);
  bench.report.atLeast("writing a stream, of a pipeline by hand", writes.ratio(ours, limit), 0.85);
  bench.report.atLeast("reading a stream, of a pipeline by hand", reads.ratio(ours, limit), 0.85);
  await storage.close();
}

async function putsAndGets(
  bench: Bench,
  stores: Readonly<Record<string, Store<Uint8Array>>>,
  data: Data<Uint8Array>,
  flight: number,
  rounds: Rounds = bench.quick,
) {
  for (const store of Object.values(stores)) await putAll(store, data);
  const names = Object.entries(stores);
  const puts = names.map(([name, store]) => inFlight(name, data, flight, (index) => store.put(data.keys[index]!, data.values[index]!)));
  const gets = names.map(([name, store]) => inFlight(name, data, flight, (index) => store.get(data.keys[index]!)));
  return { puts: await compare(puts, rounds), gets: await compare(gets, rounds) };
}

/** One call for each key, so many at once. */
function inFlight(name: string, { keys }: Data<Uint8Array>, flight: number, call: (index: number) => Promise<unknown>): Contender {
  const lane = async (indexes: Iterable<number>): Promise<void> => {
    for (const index of indexes) await call(index);
  };
  return {
    name,
    operations: keys.length,
    async run() {
      const indexes = keys.keys();
      await Promise.all(Array.from({ length: flight }, () => lane(indexes)));
    },
  };
}

/** One run that handles so many bytes. */
function once(name: string, bytes: number, run: () => Promise<void>): Contender {
  return { name, operations: bytes, run };
}

function table(bench: Bench, title: string, limit: string, puts: Comparison, gets: Comparison, names: readonly string[]): void {
  const cell = (result: Comparison, name: string): string =>
    `${perSecond(result.nanoseconds(name))} (${figure(result.ratio(name, limit))})`;
  const rows = names.map((name) => [name, cell(puts, name), cell(gets, name)]);
  bench.report.table(title, ["contender", "put/s", "get/s"], rows);
}

function dataOf(size: number, count: number): Data<Uint8Array> {
  const value = textOf(size);
  const keys = Array.from({ length: count }, (_, index) => `file-${index}.bin`);
  return { keys, values: keys.map(() => value) };
}

const megabytes = (result: Comparison, name: string): string => figure(1e3 / result.nanoseconds(name));

function sizeName(size: number): string {
  if (size < 1024) return `${size} B`;
  return size < 2 ** 20 ? `${size / 1024} KiB` : `${size / 2 ** 20} MiB`;
}

async function close(stores: Readonly<Record<string, Store<Uint8Array> | ByteStorage>>): Promise<void> {
  for (const store of Object.values(stores)) if ("close" in store) await store.close();
}
