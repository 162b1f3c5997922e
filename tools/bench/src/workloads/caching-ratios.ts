import { CacheableMemory } from "cacheable";
import { LRUCache } from "lru-cache";
import type { EvictionName } from "@stowage/cached";
import { lruByHand, ours } from "../harness/caches.ts";
import { getting, keysOf } from "../harness/calls.ts";
import type { Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { randomFrom } from "../harness/random.ts";
import { figure } from "../harness/report.ts";
import type { Trace } from "../harness/traces.ts";
import { traces, zipf } from "../harness/traces.ts";
import type { Bench } from "../harness/workload.ts";

const evictions: readonly EvictionName[] = ["s3-fifo", "w-tinylfu", "lru"];
const peer = "lru-cache";
/** Takes microseconds for each access, and is an LRU as well: it is shown on one trace. */
const slowPeer = "@cacheable/memory lruSize";
const steady = "Zipf 0.99";
const shifting = "shifting Zipf";

/** The share of requests that each policy answers, on six traces. */
export async function ratios(bench: Bench): Promise<void> {
  const count = bench.pick(100_000, 1000);
  const all = traces(count, bench.pick(1_000_000, 2000));
  const keys = keysOf(3 * count + Math.max(...Object.values(all).map((trace) => trace.length)) / 2);
  for (const share of [0.01, 0.1]) {
    const entries = count * share;
    const rows: string[][] = [];
    const ratio = new Map<string, number>();
    for (const name of [...evictions, peer, slowPeer]) {
      const cells: string[] = [];
      for (const [title, trace] of Object.entries(all)) {
        if (name === slowPeer && title !== steady) {
          cells.push("–");
          continue;
        }
        const hits = await hitsOf(name, entries, trace, keys);
        ratio.set(`${name} ${title}`, (100 * hits) / trace.length);
        cells.push(`${((100 * hits) / trace.length).toFixed(1)} %`);
      }
      rows.push([name, ...cells]);
    }
    bench.report.table(`hit ratio, capacity ${100 * share} % of ${count.toLocaleString("en")} keys`, ["policy", ...Object.keys(all)], rows);
    const of = (title: string): number => ratio.get(`s3-fifo ${title}`)!;
    bench.report.atLeast(`hit ratio at ${100 * share} %, ${steady}`, of(steady), share === 0.01 ? 58 : 76.5, " %");
    bench.report.atMost(`points below LRU at ${100 * share} %, ${shifting}`, ratio.get(`lru ${shifting}`)! - of(shifting), 2);
  }
}

/** Ours as they stand in the layer, so that what is counted is what an application gets. */
async function hitsOf(name: string, entries: number, trace: Trace, keys: readonly string[]): Promise<number> {
  let misses = 0;
  if (name === peer || name === slowPeer) {
    const cache =
      name === peer ? new LRUCache<string, string>({ max: entries }) : new CacheableMemory({ lruSize: entries, useClone: false });
    for (const number of trace) {
      const key = keys[number]!;
      if (cache.get(key) !== undefined) continue;
      misses++;
      cache.set(key, key);
    }
  } else {
    const load = async (key: string): Promise<string> => {
      misses++;
      return key;
    };
    const cache = ours({ eviction: name as EvictionName })(load, { entries });
    for (const number of trace) await cache.get(keys[number]!);
  }
  return trace.length - misses;
}

/** Time for each access, misses included, in small and large caches: no step may take longer because more is cached. */
export async function steps(bench: Bench): Promise<void> {
  const sizes = bench.pick([10_000, 100_000, 1_000_000], [100, 1000]);
  const names = [...evictions, peer];
  const rows = new Map<string, string[]>(names.map((name) => [name, [name]]));
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (const entries of sizes) {
    const keys = keysOf(3 * entries);
    const next = zipf(keys.length, 0.99, randomFrom(5));
    const asked = { keys: Array.from({ length: bench.pick(200_000, 100) }, () => keys[next()]!), values: [] };
    const contenders: Contender[] = [];
    for (const name of names) {
      const load = async (key: string): Promise<string> => key;
      const cache = (name === peer ? lruByHand : ours({ eviction: name as EvictionName }))(load, { entries });
      for (let index = 0; index < 2 * entries; index++) await cache.get(keys[next()]!);
      contenders.push(getting(name, cache, asked));
    }
    const result = await compare(contenders, { ...bench.long, rounds: bench.pick(3, 1) });
    for (const name of names) {
      rows.get(name)!.push(`${figure(result.nanoseconds(name))} (${figure(result.ratio(name, peer))})`);
      times.get(name)!.push(result.nanoseconds(name));
    }
  }
  const columns = ["policy", ...sizes.map((size) => `${size.toLocaleString("en")} entries, ns`)];
  bench.report.table("time for each access, misses included, three times as many keys as entries, Zipf 0.99", columns, [...rows.values()]);
  const growth = (name: string): number => times.get(name)!.at(-1)! / times.get(name)![0]!;
  for (const name of evictions) {
    bench.report.atMost(`an access grows by size no more than one of lru-cache, ${name}`, growth(name) / growth(peer), 1.3, " times");
  }
}
