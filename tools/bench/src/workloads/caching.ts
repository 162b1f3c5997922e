import type { ReadThrough } from "../harness/caches.ts";
import { byHand, loadingPeers, lruByHand, ours, peers } from "../harness/caches.ts";
import { calling, getting, keysOf } from "../harness/calls.ts";
import type { Comparison } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { footprintOf } from "../harness/growth.ts";
import { randomFrom } from "../harness/random.ts";
import { figure } from "../harness/report.ts";
import { zipf } from "../harness/traces.ts";
import type { Bench, Workload } from "../harness/workload.ts";
import { clients, stampede } from "./caching-loads.ts";
import { ratios, steps } from "./caching-ratios.ts";

/** `cached()` against what a team writes by hand over lru-cache, and against the caches that load by themselves. */
export const caching: Workload = {
  name: "caching",
  about: "cached() over a function that loads, against lru-cache with the loads in a Map; in brackets the speed as a share of that limit.",
  async run(bench) {
    await hits(bench, bench.pick(1000, 50));
    await ratios(bench);
    await steps(bench);
    await stampede(bench);
    await clients(bench);
    await footprint(bench, bench.pick(100_000, 1000));
  },
};

/** What is cached, and how far it has to be copied for each caller. */
interface Form {
  readonly name: string;
  readonly valueOf: (key: string, index: number) => string | Uint8Array;
  readonly ttl?: number;
  /** How many times as fast as the limit. */
  readonly target: number;
}

const text = (key: string): string => key.padEnd(100);
const bytes = (_key: string, index: number): Uint8Array => new Uint8Array(100).fill(index);

const forms: readonly Form[] = [
  { name: "text", valueOf: text, target: 2.5 },
  { name: "text with an expiry", valueOf: text, ttl: 3_600_000, target: 1.5 },
  { name: "100 bytes, copied", valueOf: bytes, target: 0.8 },
];

const cachedName = "cached()";
const sharing = 'cached({ values: "shared" })';
const withTtl = "lru-cache with a ttl, in-flight Map";
const copying = "lru-cache, in-flight Map, copied";
const waiting = "nothing but awaiting a promise";

async function hits(bench: Bench, count: number): Promise<void> {
  const keys = keysOf(count);
  const rank = zipf(count, 0.99, randomFrom(3));
  const asked = { keys: Array.from({ length: 10 * count }, () => keys[rank()]!), values: [] };
  for (const { name, valueOf, ttl, target } of forms) {
    const values = new Map<string, string | Uint8Array>(keys.map((key, index) => [key, valueOf(key, index)]));
    const load = async (key: string): Promise<string | Uint8Array> => values.get(key)!;
    const size = { entries: 2 * count, ttl };
    const limit = lruByHand(load, { entries: 2 * count });
    const stores: Record<string, Pick<ReadThrough<unknown>, "get">> = {
      [byHand]: limit,
      [cachedName]: ours()(load, size),
      ...(ttl !== undefined && { [withTtl]: lruByHand(load, size) }),
      ...(valueOf === bytes && {
        [sharing]: ours({ values: "shared" })(load, size),
        [copying]: { get: async (key: string) => new Uint8Array((await limit.get(key)) as Uint8Array) },
      }),
      ...Object.fromEntries(Object.entries(peers).map(([peer, make]) => [peer, make(load, size)])),
    };
    for (const store of Object.values(stores)) for (const key of keys) await store.get(key);
    const there = Promise.resolve();
    stores[waiting] = { get: () => there };
    const awaited = await compare(
      Object.entries(stores).map(([store, cache]) => getting(store, cache, asked)),
      bench.quick,
    );
    const called = await compare(
      Object.entries(stores)
        .filter(([store]) => !(store in peers)) // their loads would pile up
        .map(([store, cache]) => calling(store, cache, asked)),
      bench.quick,
    );
    report(bench, `a hit, ${name}, ${count.toLocaleString("en")} keys, Zipf 0.99`, Object.keys(stores), awaited, called);
    bench.report.atLeast(`a hit, ${name}, of the limit`, awaited.ratio(cachedName, byHand), target);
    if (valueOf === bytes) {
      bench.report.atLeast("a hit, 100 bytes, shared, of the limit", awaited.ratio(sharing, byHand), 2.5);
      bench.report.atLeast("a hit, 100 bytes, copied, of the limit that copies too", awaited.ratio(cachedName, copying), 0.8);
    }
    const best = Math.min(...Object.keys(loadingPeers).map((peer) => awaited.ratio(cachedName, peer)));
    bench.report.atLeast(`a hit, ${name}, of the best of cacheable, bentocache and cache-manager`, best, 5);
  }
}

/**
 * With the wait for the answer, and the call alone. To await a promise that is there takes about half of a hit, and no
 * cache can save that: it is shown beside them.
 */
function report(bench: Bench, title: string, names: readonly string[], awaited: Comparison, called: Comparison): void {
  const cell = (result: Comparison, name: string): string => `${figure(result.nanoseconds(name))} (${figure(result.ratio(name, byHand))})`;
  bench.report.table(
    title,
    ["contender", "ns, awaited", "ns, the call alone"],
    names.map((name) => [name, cell(awaited, name), name in peers ? "–" : cell(called, name)]),
  );
}

/** Bytes that an entry costs beyond its key and its value, in a process of its own for each. */
async function footprint(bench: Bench, count: number): Promise<void> {
  const names = [byHand, cachedName, ...Object.keys(peers)];
  const used = new Map<string, number>();
  for (const name of names) used.set(name, await footprintOf(name, String(count)));
  bench.report.table(
    `memory, ${count.toLocaleString("en")} entries of 100 bytes`,
    ["contender", "bytes per entry beyond key and value"],
    names.map((name) => [name, figure(used.get(name)!)]),
  );
}
