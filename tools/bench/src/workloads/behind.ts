import { join } from "node:path";
import type { BehindOptions } from "@stowage/behind";
import { behind } from "@stowage/behind";
import type { ByteStorage, Bytes, CallOptions, EntryInfo, PutOptions } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { sqliteStorage } from "@stowage/sqlite";
import type { Data } from "../harness/calls.ts";
import { getting, keysOf } from "../harness/calls.ts";
import type { Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** What a write costs until it is acknowledged, what comes after that, and what reads pay for it. */
export const writingBehind: Workload = {
  name: "behind",
  about: "Values of 1 KiB through behind() over a memory that answers a write after 1 ms, and that storage by itself.",
  async run(bench) {
    await acknowledged(bench, 1);
    await acknowledged(bench, 64);
    await reads(bench);
    await drained(bench);
    footprint(bench, await heldBy(bench.pick(10_000, 100)));
  },
};

const plain = "1 ms, without behind()";

/** Puts until they are acknowledged, each key once; they go below between the rounds. */
async function acknowledged(bench: Bench, inFlight: number): Promise<void> {
  const data = dataOf(bench.pick(inFlight === 1 ? 500 : 4_000, 20));
  const folder = await bench.folder("memory");
  const journals: Record<string, (name: string) => ByteStorage> = {
    memory: () => memoryStorage(),
    "a folder": (name) => fileStorage({ directory: join(folder, name), durability: "process" }),
    SQLite: (name) => sqliteStorage({ path: join(folder, `${name}.db`), durability: "process" }),
  };
  const waiting: BehindOptions = { window: 600_000, maxPending: 1_000_000, concurrency: 64 };
  const storages = new Map<string, ByteStorage>([
    [plain, slow()],
    ["behind(), no journal", behind(waiting)(slow())],
  ]);
  const emptied = new Map<string, () => Promise<void>>();
  for (const [name, make] of Object.entries(journals)) {
    const journal = make("journal");
    storages.set(`${name} by itself`, make("bare"));
    storages.set(`behind(), ${name}`, behind({ ...waiting, journal })(slow()));
    emptied.set(`behind(), ${name}`, () => untilEmpty(journal));
  }
  const contenders = Array.from(storages, ([name, storage]) => putting(name, storage, data, { inFlight, emptied: emptied.get(name) }));
  const puts = await compare(contenders, bench.long);
  bench.report.table(
    `puts that are acknowledged, ${inFlight} in flight`,
    ["contender", "µs per put", "puts per second", "times as fast as without"],
    Array.from(storages.keys(), (name) => {
      const time = puts.nanoseconds(name);
      return [name, figure(time / 1e3), perSecond(time), figure(puts.ratio(name, plain))];
    }),
  );
  for (const name of ["a folder", "SQLite"]) {
    const ours = `behind(), ${name}`;
    if (inFlight === 1) bench.report.atLeast(`a put into ${name}, of one that takes 1 ms`, puts.ratio(ours, plain), 5);
    bench.report.atLeast(`a put into ${name}, ${inFlight} in flight, of that by itself`, puts.ratio(ours, `${name} by itself`), 0.4);
  }
  for (const storage of storages.values()) await storage.close();
}

/** Waits until nothing is left of what went below. */
async function untilEmpty(journal: ByteStorage): Promise<void> {
  while ((await journal.list({ limit: 2 })).entries.length > 1) await millisecond();
}

/** Gets of what is below, and of what is pending. */
async function reads(bench: Bench): Promise<void> {
  const data = dataOf(1_000);
  const below = memoryStorage();
  const storage = behind({ window: 600_000 })(memoryStorage());
  const pending = { ...data, keys: data.keys.map((key) => `pending/${key}`) };
  for (const store of [below, storage]) await putEach(store, data, 64);
  await storage.flush();
  await putEach(storage, pending, 64);
  const contenders = [getting("bare", below, data), getting("below", storage, data), getting("pending", storage, pending)];
  const gets = await compare(contenders, bench.quick);
  bench.report.table(
    "ns per get()",
    ["contender", "ns", "added"],
    [
      ["memory", figure(gets.nanoseconds("bare")), "0"],
      ["behind(), nothing pending under the key", figure(gets.nanoseconds("below")), figure(gets.extra("below", "bare"))],
      ["behind(), the value is pending", figure(gets.nanoseconds("pending")), figure(gets.extra("pending", "bare"))],
    ],
  );
  bench.report.atMost("get of what is below, added", gets.extra("below", "bare"), 60, " ns");
  bench.report.atMost("get of what is pending, added", gets.extra("pending", "bare"), 600, " ns");
  for (const store of [below, storage]) await store.close();
}

/** What is pending goes below, 64 keys at once, against as many callers by hand. */
async function drained(bench: Bench): Promise<void> {
  const concurrency = 64;
  const data = dataOf(bench.pick(4_000, 20));
  const folder = await bench.folder("memory");
  const without = slow();
  const options = { window: 600_000, concurrency };
  const inMemory = behind(options)(slow());
  const inSqlite = behind({ ...options, journal: sqliteStorage({ path: join(folder, "journal.db"), durability: "process" }) })(slow());
  const draining = (name: string, storage: ByteStorage): Contender => ({
    name,
    operations: data.keys.length,
    prepare: () => putEach(storage, data, 64),
    run: () => storage.flush(),
  });
  const contenders = [
    putting("by hand", without, data, { inFlight: concurrency }),
    draining("memory", inMemory),
    draining("SQLite", inSqlite),
  ];
  const drains = await compare(contenders, bench.long);
  bench.report.table(
    `writes that go below, ${concurrency} at once`,
    ["contender", "writes per second"],
    [
      ["puts by hand (limit)", perSecond(drains.nanoseconds("by hand"))],
      ["behind(), no journal", perSecond(drains.nanoseconds("memory"))],
      ["behind(), SQLite", perSecond(drains.nanoseconds("SQLite"))],
    ],
  );
  bench.report.atLeast("writes that go below, of puts by hand", drains.ratio("memory", "by hand"), 0.6);
  bench.report.atLeast("writes that go below from SQLite, of puts by hand", drains.ratio("SQLite", "by hand"), 0.25);
  for (const storage of [without, inMemory, inSqlite]) await storage.close();
}

/** Bytes of memory that a pending write holds beyond its key and its value. */
async function heldBy(count: number): Promise<number> {
  const data = dataOf(count);
  const storage = behind({ window: 600_000, maxPending: count * 4 })(memoryStorage());
  const before = heap();
  await putEach(storage, data, 64);
  const held = (heap() - before) / count - 1024;
  await storage.close();
  return held;
}

function footprint(bench: Bench, held: number): void {
  bench.report.table("memory of what is pending", ["", "bytes beyond key and value"], [["a pending write", figure(held)]]);
  bench.report.atMost("memory of a pending write", held, 1_024, " B");
}

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function dataOf(count: number): Data<Bytes> {
  const keys = keysOf(count);
  return { keys, values: keys.map((_, index) => new Uint8Array(1024).fill(index)) };
}

function putting(
  name: string,
  storage: ByteStorage,
  data: Data<Bytes>,
  { inFlight, emptied }: { readonly inFlight: number; readonly emptied?: (() => Promise<void>) | undefined },
): Contender {
  const prepare = async (): Promise<void> => {
    await storage.flush();
    await emptied?.();
  };
  return { name, operations: data.keys.length, prepare, run: () => putEach(storage, data, inFlight) };
}

async function putEach(storage: ByteStorage, { keys, values }: Data<Bytes>, inFlight: number): Promise<void> {
  const client = async (first: number): Promise<void> => {
    for (let index = first; index < keys.length; index += inFlight) await storage.put(keys[index]!, values[index]!);
  };
  await Promise.all(Array.from({ length: inFlight }, (_, first) => client(first)));
}

/** A memory that is a millisecond away. */
const slow = (): ByteStorage => new Slow(memoryStorage());

class Slow extends ForwardingStorage<Bytes> {
  readonly name = "slow";

  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    await millisecond();
    return await super.put(key, value, options);
  }

  override async delete(key: string, options?: CallOptions): Promise<void> {
    await millisecond();
    await super.delete(key, options);
  }
}

const millisecond = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 1));
