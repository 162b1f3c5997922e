import type { ByteStorage } from "@stowage/core";
import { scan } from "@stowage/core";
import type { Data } from "../harness/calls.ts";
import { getting } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare, ownCopy } from "../harness/compare.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench } from "../harness/workload.ts";

/** A library as one uses it by hand, in its fastest way. */
export interface ByHand {
  get(key: string): Promise<unknown>;
  put(key: string, value: Uint8Array): Promise<unknown>;
  putAll(data: Data<Uint8Array>): Promise<void>;
  /** All keys, in pages of a thousand, each of which is a promise: a list lets others run in between. */
  keys(): Promise<void>;
  close(): Promise<void>;
}

/** A storage, and the library below it with the same settings. */
export interface Pair {
  readonly title: string;
  readonly hand: ByHand;
  readonly storage: ByteStorage;
}

const byHand = "by hand (limit)";
export const inFlight = 32;
const batchSize = 1_000;

/** Compares a storage to the library below it: reads, writes one by one, together and in batches, and a list of all keys. */
export async function comparePair(bench: Bench, { title, hand, storage }: Pair, data: Data<Uint8Array>, few: number): Promise<void> {
  await inBatchesOf(data, (part) => hand.putAll(part));
  await inBatchesOf(data, (part) => fill(storage, part));
  const some = { keys: data.keys.slice(0, few), values: data.values };
  const ours = storage.name;
  const gets = await compare([getting(byHand, hand, data), getting(ours, storage, data)], bench.quick);
  const puts = await compare([putting(byHand, hand, some), putting(ours, storage, some)], bench.quick);
  const many = await compare([together(byHand, hand, some), together(ours, storage, some)], bench.quick);
  const batches = await compare(
    [batching(byHand, data, (part) => hand.putAll(part)), batching(ours, data, (part) => fill(storage, part))],
    bench.quick,
  );
  const lists = await compare([listing(byHand, data, () => hand.keys()), listing(ours, data, () => pagesOf(storage))], bench.quick);
  const rows: [string, Comparison][] = [
    ["get", gets],
    ["put", puts],
    [`put, ${inFlight} in flight`, many],
    [`put in batches of ${batchSize}`, batches],
    ["list, keys by the page", lists],
  ];
  bench.report.table(
    title,
    ["operation", byHand, ours],
    rows.map(([name, result]) => [
      name,
      `${perSecond(result.nanoseconds(byHand))}/s`,
      `${perSecond(result.nanoseconds(ours))}/s (${figure(result.ratio(ours, byHand))})`,
    ]),
  );
  for (const [name, result] of rows) bench.report.atLeast(`${title}: ${name}, of ${byHand}`, result.ratio(ours, byHand), 0.8);
  await storage.close();
  await hand.close();
}

export async function inBatchesOf({ keys, values }: Data<Uint8Array>, put: (part: Data<Uint8Array>) => Promise<void>): Promise<void> {
  for (let start = 0; start < keys.length; start += batchSize) {
    const part = keys.slice(start, start + batchSize);
    await put({ keys: part, values: part.map((_, index) => values[start + index]!) });
  }
}

function batching(name: string, data: Data<Uint8Array>, put: (part: Data<Uint8Array>) => Promise<void>): Contender {
  return { name, operations: data.keys.length, run: () => inBatchesOf(data, put) };
}

export function putting(name: string, store: Pick<ByHand, "put">, { keys, values }: Data<Uint8Array>): Contender {
  const loop = ownCopy(putEach);
  return { name, operations: keys.length, run: () => loop(store, keys, values) };
}

async function putEach(
  store: { put(key: string, value: Uint8Array): Promise<unknown> },
  keys: readonly string[],
  values: readonly Uint8Array[],
): Promise<void> {
  for (let index = 0; index < keys.length; index++) await store.put(keys[index]!, values[index]!);
}

export function together(name: string, store: Pick<ByHand, "put">, { keys, values }: Data<Uint8Array>): Contender {
  const client = async (first: number): Promise<void> => {
    for (let index = first; index < keys.length; index += inFlight) await store.put(keys[index]!, values[index]!);
  };
  const run = async (): Promise<void> => void (await Promise.all(Array.from({ length: inFlight }, (_, first) => client(first))));
  return { name, operations: keys.length, run };
}

export const listing = (name: string, { keys }: Data<Uint8Array>, run: () => Promise<void>): Contender => ({
  name,
  operations: keys.length,
  run,
});

async function pagesOf(storage: ByteStorage): Promise<void> {
  let cursor: string | undefined;
  do ({ cursor } = await storage.list({ cursor }));
  while (cursor !== undefined);
}

export async function keysIn(storage: ByteStorage): Promise<void> {
  for await (const _ of scan(storage));
}

export async function fill(storage: ByteStorage, { keys, values }: Data<Uint8Array>): Promise<void> {
  await storage.batch(keys.map((key, index) => ({ type: "put", key, value: values[index] as Uint8Array<ArrayBuffer> })));
}
