import { KeyvSqlite } from "@keyv/sqlite";
import { Keyv } from "keyv";
import { join } from "node:path";
import type { StatementSync } from "node:sqlite";
import { DatabaseSync } from "node:sqlite";
import type { Bytes, ByteStorage, Operation } from "@stowage/core";
import { sqliteStorage } from "@stowage/sqlite";
import type { Data } from "../harness/calls.ts";
import { getting, keysOf } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare, ownCopy } from "../harness/compare.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** The SQLite storage against `node:sqlite` by hand, with the same durability: a table of keys and values, one statement a call. */
export const sqlite: Workload = {
  name: "sqlite",
  about: "Values of 100 bytes; in brackets the speed as a share of node:sqlite by hand.",
  async run(bench) {
    const count = bench.pick(100_000, 100);
    const keys = keysOf(count);
    const data: Data<Uint8Array> = { keys, values: keys.map((_, index) => new Uint8Array(100).fill(index)) };
    await quick(bench, data);
    await againstKeyv(bench, data);
    await durable(bench, data);
  },
};

const byHand = "node:sqlite by hand (limit)";
const grouped = "node:sqlite by hand, grouped";
const keyv = "@keyv/sqlite";
const ours = "sqlite";
const threaded = "sqlite, thread";
const inFlight = 32;
const batchSize = 1_000;

async function quick(bench: Bench, data: Data<Uint8Array>): Promise<void> {
  const folder = await bench.folder("memory");
  const hand = new ByHand(join(folder, "hand.db"), "NORMAL");
  const storage = sqliteStorage({ path: join(folder, "ours.db"), durability: "process" });
  hand.putAll(data);
  await fill(storage, data);

  const few = { keys: data.keys.slice(0, bench.pick(10_000, 50)), values: data.values };
  const gets = await compare([getting(byHand, hand, few), getting(ours, storage, few)], bench.quick);
  const puts = await compare([putting(byHand, hand, few), putting(ours, storage, few)], bench.quick);
  const group = new Grouped(hand);
  const many = await compare([putting(byHand, hand, few), together(grouped, group, few), together(ours, storage, few)], bench.quick);
  const batches = await compare([putting(byHand, hand, few), inBatches(grouped, group, few), inBatches(ours, storage, few)], bench.quick);
  const lists = await compare([listing(byHand, () => hand.list(), data), listing(ours, () => keysIn(storage), data)], bench.quick);
  const rows: [string, Comparison, limit?: string][] = [
    ["get", gets],
    ["put", puts],
    [`put, ${inFlight} in flight, against one by one`, many],
    [`put, ${inFlight} in flight, against one transaction by hand`, many, grouped],
    [`put in batches of ${batchSize}, against one by one`, batches],
    [`put in batches of ${batchSize}, against one transaction by hand`, batches, grouped],
    ["list, keys", lists],
  ];
  bench.report.table(
    "sqlite, survives the process",
    ["operation", byHand, ours],
    rows.map(([name, result, limit = byHand]) => [name, `${perSecond(result.nanoseconds(limit))}/s`, cell(result, ours, limit)]),
  );
  bench.report.atLeast("get, of node:sqlite by hand", gets.ratio(ours, byHand), 0.85);
  bench.report.atLeast("put, of node:sqlite by hand", puts.ratio(ours, byHand), 0.75);
  bench.report.atLeast(`put, ${inFlight} in flight, of one by one by hand`, many.ratio(ours, byHand), 3);
  bench.report.atLeast("put in batches, of one by one by hand", batches.ratio(ours, byHand), 3);
  await storage.close();
  hand.close();
}

/** A list of keys, which @keyv/sqlite in its Keyv reads ten rows at a time, with their values. */
async function againstKeyv(bench: Bench, data: Data<Uint8Array>): Promise<void> {
  const folder = await bench.folder("memory");
  const storage = sqliteStorage({ path: join(folder, "ours.db"), durability: "process" });
  const peer = new Keyv({ store: new KeyvSqlite({ uri: `sqlite://${join(folder, "keyv.db")}`, wal: true }) });
  await fill(storage, data);
  await peer.setMany(data.keys.map((key, index) => ({ key, value: Buffer.from(data.values[index]!) })));
  const listPeer = async (): Promise<void> => {
    for await (const _ of peer.iterator());
  };
  const lists = await compare([listing(keyv, listPeer, data), listing(ours, () => keysIn(storage), data)], bench.long);
  bench.report.atLeast("list, of @keyv/sqlite", lists.ratio(ours, keyv), 40);
  await storage.close();
  await peer.disconnect();
}

async function durable(bench: Bench, data: Data<Uint8Array>): Promise<void> {
  const folder = await bench.folder("disk");
  const hand = new ByHand(join(folder, "hand.db"), "FULL");
  const storage = sqliteStorage({ path: join(folder, "ours.db") });
  const onThread = sqliteStorage({ path: join(folder, "thread.db"), thread: true });
  const few = { keys: data.keys.slice(0, bench.pick(256, 32)), values: data.values };
  for (const store of [storage, onThread]) await fill(store, few);
  hand.putAll(few);
  const one = await compare([putting(byHand, hand, few), putting(ours, storage, few), putting(threaded, onThread, few)], bench.slow);
  const many = await compare([putting(byHand, hand, few), together(ours, storage, few), together(threaded, onThread, few)], bench.slow);
  const names = [byHand, ours, threaded];
  bench.report.table(
    "sqlite, survives loss of power",
    ["operation", ...names],
    [
      ["put", ...names.map((name) => cell(one, name))],
      [`put, ${inFlight} in flight, against one by one`, ...names.map((name) => cell(many, name))],
    ],
  );
  bench.report.atLeast(`durable put, ${inFlight} in flight, of one by one by hand`, many.ratio(ours, byHand), 7);
  await storage.close();
  await onThread.close();
  hand.close();
}

const cell = (result: Comparison, name: string, limit: string = byHand): string =>
  `${perSecond(result.nanoseconds(name))}/s (${figure(result.ratio(name, limit))})`;

interface Puttable {
  put(key: string, value: Uint8Array): Promise<unknown>;
}

/** A value that is another one than when it was put last: SQLite writes nothing where nothing changed. */
function changed(value: Uint8Array): Uint8Array {
  value[0]!++;
  if (value[0] === 0) value[1]!++;
  return value;
}

function putting(name: string, store: Puttable, { keys, values }: Data<Uint8Array>): Contender {
  const loop = ownCopy(putEach);
  return { name, operations: keys.length, run: () => loop(store, keys, values, changed) };
}

async function putEach(
  store: Puttable,
  keys: readonly string[],
  values: readonly Uint8Array[],
  next: (value: Uint8Array) => Uint8Array,
): Promise<void> {
  for (let index = 0; index < keys.length; index++) await store.put(keys[index]!, next(values[index]!));
}

async function fill(storage: Pick<ByteStorage, "batch">, { keys, values }: Data<Uint8Array>): Promise<void> {
  await storage.batch(keys.map((key, index) => ({ type: "put", key, value: values[index] as Uint8Array<ArrayBuffer> })));
}

function together(name: string, storage: Puttable, { keys, values }: Data<Uint8Array>): Contender {
  const client = async (first: number): Promise<void> => {
    for (let index = first; index < keys.length; index += inFlight) await storage.put(keys[index]!, changed(values[index]!));
  };
  const run = async (): Promise<void> => void (await Promise.all(Array.from({ length: inFlight }, (_, first) => client(first))));
  return { name, operations: keys.length, run };
}

function inBatches(name: string, storage: Pick<ByteStorage, "batch">, data: Data<Uint8Array>): Contender {
  const run = async (): Promise<void> => {
    for (let start = 0; start < data.keys.length; start += batchSize) {
      const keys = data.keys.slice(start, start + batchSize);
      await fill(storage, { keys, values: keys.map((_, index) => changed(data.values[start + index]!)) });
    }
  };
  return { name, operations: data.keys.length, run };
}

const listing = (name: string, run: () => Promise<void>, { keys }: Data<Uint8Array>): Contender => ({ name, operations: keys.length, run });

async function keysIn(storage: ByteStorage): Promise<void> {
  let cursor: string | undefined;
  do ({ cursor } = await storage.list({ cursor }));
  while (cursor !== undefined);
}

class ByHand {
  readonly #database: DatabaseSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #list: StatementSync;

  constructor(path: string, synchronous: "FULL" | "NORMAL") {
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    database.exec("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)");
    this.#database = database;
    this.#get = database.prepare("SELECT value FROM entries WHERE key = ?");
    this.#put = database.prepare("INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    this.#list = database.prepare("SELECT key FROM entries WHERE key > ? ORDER BY key LIMIT 1000");
  }

  async get(key: string): Promise<unknown> {
    return (this.#get.get(key) as { value: Uint8Array } | undefined)?.value;
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#put.run(key, value);
  }

  async list(): Promise<void> {
    let after = "";
    for (;;) {
      const rows = this.#list.all(after) as { key: string }[];
      if (rows.length === 0) return;
      after = rows.at(-1)!.key;
    }
  }

  putAll({ keys, values }: Data<Uint8Array>): void {
    this.#database.exec("BEGIN");
    keys.forEach((key, index) => this.#put.run(key, values[index]!));
    this.#database.exec("COMMIT");
  }

  close(): void {
    this.#database.close();
  }
}

/** The least that grouping takes: puts of one turn in one transaction, and no answer but that they are done. */
class Grouped implements Puttable {
  readonly #hand: ByHand;
  #keys: string[] = [];
  #values: Uint8Array[] = [];
  #settle: (() => void)[] = [];

  constructor(hand: ByHand) {
    this.#hand = hand;
  }

  put(key: string, value: Uint8Array): Promise<void> {
    if (this.#keys.push(key) === 1) process.nextTick(() => this.#commit());
    this.#values.push(value);
    return new Promise((resolve) => this.#settle.push(resolve));
  }

  async batch(operations: readonly Operation<Bytes>[]): Promise<void> {
    const values = operations.map((operation) => (operation.type === "put" ? operation.value : new Uint8Array(0)));
    this.#hand.putAll({ keys: operations.map(({ key }) => key), values });
  }

  #commit(): void {
    const settle = this.#settle;
    this.#hand.putAll({ keys: this.#keys, values: this.#values });
    this.#keys = [];
    this.#values = [];
    this.#settle = [];
    for (const done of settle) done();
  }
}
