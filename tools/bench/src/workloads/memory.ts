import { memoryStorage } from "@stowage/memory";
import type { Data, Store } from "../harness/calls.ts";
import { getting, inserting, keysOf, putAll, putting } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { keyvInMemory, lruCache, unstorageInMemory } from "../harness/peers.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** The memory storage against an async function over a Map, which is as fast as anything with this contract can be. */
export const memory: Workload = {
  name: "memory",
  about: "Values of 100 bytes, one call after the other; in brackets the speed as a share of the limit.",
  async run(bench) {
    await speed(bench, bench.pick(1000, 50));
    await speed(bench, bench.pick(100_000, 100));
    footprint(bench, bench.pick(100_000, 1000));
  },
};

const limit = "async function over Map (limit)";
const sharing = "memory, share: true";
const copying = "memory";

const makers: Readonly<Record<string, (count: number) => Store<Uint8Array>>> = {
  [limit]: overMap,
  [sharing]: () => memoryStorage({ share: true }),
  [copying]: () => memoryStorage(),
  "async function over lru-cache": lruCache,
  "keyv 6, createKeyv": keyvInMemory,
  "unstorage, memory": unstorageInMemory,
};
const names = Object.keys(makers);
const peers: readonly string[] = ["keyv 6, createKeyv", "unstorage, memory"];

async function speed(bench: Bench, count: number): Promise<void> {
  const keys = keysOf(count);
  const data: Data<Uint8Array> = { keys, values: keys.map((_, index) => new Uint8Array(100).fill(index)) };
  const inserts = await compare(
    contenders((name) => inserting(name, () => makers[name]!(count), data)),
    bench.quick,
  );
  const stores = new Map(names.map((name) => [name, makers[name]!(count)]));
  for (const store of stores.values()) await putAll(store, data);
  const puts = await compare(
    contenders((name) => putting(name, stores.get(name)!, data)),
    bench.quick,
  );
  const gets = await compare(
    contenders((name) => getting(name, stores.get(name)!, data)),
    bench.quick,
  );

  const size = `${count.toLocaleString("en")} keys`;
  const cell = (result: Comparison, name: string): string =>
    `${perSecond(result.nanoseconds(name))} (${figure(result.ratio(name, limit))})`;
  const rows = names.map((name) => [name, cell(inserts, name), cell(puts, name), cell(gets, name)]);
  bench.report.table(`memory, ${size}`, ["contender", "insert/s", "put over/s", "get/s"], rows);

  const targets = { insert: [inserts, 0.8, 0.2], put: [puts, 0.8, 0.2], get: [gets, 0.8, 0.1] } as const;
  for (const [operation, [result, shared, copied]] of Object.entries(targets)) {
    bench.report.atLeast(`${operation}, ${size}, share: true, of the limit`, result.ratio(sharing, limit), shared);
    bench.report.atLeast(`${operation}, ${size}, copied, of the limit`, result.ratio(copying, limit), copied);
    const best = Math.min(...peers.map((peer) => result.ratio(copying, peer)));
    bench.report.atLeast(`${operation}, ${size}, copied, of the best peer`, best, 1);
  }
}

/** What an entry costs beyond its key and its value: both are there before, and are shared. */
function footprint(bench: Bench, count: number): void {
  const keys = keysOf(count);
  const values = keys.map(() => new Uint8Array(100));
  const perEntry = (make: () => object, fill: (store: never) => unknown): number => {
    const before = heap();
    const store = make();
    fill(store as never);
    const used = heap() - before;
    kept.length = 0;
    kept.push(store);
    return used / count;
  };
  const map = perEntry(
    () => new Map<string, Uint8Array>(),
    (store: Map<string, Uint8Array>) => keys.forEach((key, index) => store.set(key, values[index]!)),
  );
  const puts = (store: Store<Uint8Array>): void => keys.forEach((key, index) => void store.put(key, values[index]!));
  const unlisted = perEntry(() => memoryStorage({ share: true }), puts);
  const listed = perEntry(
    () => memoryStorage({ share: true }),
    (store: ReturnType<typeof memoryStorage>) => {
      puts(store);
      void store.list({ limit: 1 });
    },
  );
  kept.length = 0;
  bench.report.table(
    `bytes per entry beyond key and value, ${count.toLocaleString("en")} keys`,
    ["contender", "bytes"],
    [
      ["Map (limit)", figure(map)],
      ["memory, share: true", figure(unlisted)],
      ["memory, share: true, after a list", figure(listed)],
    ],
  );
  bench.report.atMost("bytes per entry with its index", Math.max(unlisted, listed), 160);
}

/** Holds what is measured until it was. */
const kept: unknown[] = [];

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function contenders(make: (name: string) => Contender): Contender[] {
  return names.map(make);
}

function overMap(): Store<Uint8Array> {
  const map = new Map<string, Uint8Array>();
  return {
    async get(key) {
      return map.get(key);
    },
    async put(key, value) {
      map.set(key, value);
    },
  };
}
