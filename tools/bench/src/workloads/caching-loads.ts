import { setTimeout as sleep } from "node:timers/promises";
import type { MakeCache } from "../harness/caches.ts";
import { byHand, lruByHand, ours, peers } from "../harness/caches.ts";
import { keysOf } from "../harness/calls.ts";
import type { Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { randomFrom } from "../harness/random.ts";
import { figure, perSecond } from "../harness/report.ts";
import { zipf } from "../harness/traces.ts";
import type { Bench } from "../harness/workload.ts";

const cachedName = "cached()";
const makers: Readonly<Record<string, MakeCache>> = { [byHand]: lruByHand, [cachedName]: ours(), ...peers };

/** A thousand callers that miss the same key at once, over a backend that answers and over one that fails. */
export async function stampede(bench: Bench): Promise<void> {
  const callers = bench.pick(1000, 10);
  const rows: string[][] = [];
  for (const [name, make] of Object.entries(makers)) {
    const good = await rush(make, callers, false);
    const bad = await rush(make, callers, true);
    rows.push([name, String(good.loads), String(good.answered), String(bad.loads), String(bad.rejected), bad.recovers ? "yes" : "no"]);
    if (name !== cachedName) continue;
    bench.report.atMost("stampede, loads", good.loads, 1);
    bench.report.atMost("stampede on a failing backend, loads", bad.loads, 1);
    bench.report.atLeast("stampede, share of callers that get the value, or the error", (good.answered + bad.rejected) / (2 * callers), 1);
  }
  const columns = ["contender", "loads", "answered", "loads, backend fails", "rejected", "the next get recovers"];
  bench.report.table(`stampede, ${callers.toLocaleString("en")} callers miss one key`, columns, rows);
}

async function rush(make: MakeCache, callers: number, failing: boolean) {
  let loads = 0;
  let broken = failing;
  const load = async (): Promise<string> => {
    loads++;
    await sleep(20);
    if (broken) throw new Error("The backend is down.");
    return "value";
  };
  const cache = make(load, { entries: 1000 });
  const results = await Promise.allSettled(Array.from({ length: callers }, () => cache.get("key")));
  const counted = loads;
  broken = false;
  const recovers = (await cache.get("key").catch(() => undefined)) === "value";
  return {
    loads: counted,
    answered: results.filter((result) => result.status === "fulfilled" && result.value === "value").length,
    rejected: results.filter(({ status }) => status === "rejected").length,
    recovers,
  };
}

/** Sixty-four clients over a backend that takes a millisecond. */
export async function clients(bench: Bench): Promise<void> {
  const count = bench.pick(100_000, 1000);
  const requests = bench.pick(100_000, 640);
  const keys = keysOf(count);
  const next = zipf(count, 0.99, randomFrom(9));
  const asked = Array.from({ length: requests }, () => keys[next()]!);
  const loads = new Map<string, number>();
  const contenders = Object.entries(makers).map(([name, make]): Contender => {
    let loaded = 0;
    const load = async (key: string): Promise<string> => {
      loaded++;
      await sleep(1);
      return key;
    };
    let cache = make<string>(load, { entries: count / 10 });
    return {
      name,
      operations: requests,
      async prepare() {
        loaded = 0;
        cache = make<string>(load, { entries: count / 10 });
      },
      async run() {
        let position = 0;
        const client = async (): Promise<void> => {
          while (position < requests) await cache.get(asked[position++]!);
        };
        await Promise.all(Array.from({ length: 64 }, client));
        loads.set(name, loaded);
      },
    };
  });
  const result = await compare(contenders, { ...bench.long, rounds: bench.pick(3, 1) });
  bench.report.table(
    `64 clients over a backend that takes 1 ms, ${count.toLocaleString("en")} keys Zipf 0.99, room for a tenth`,
    ["contender", "requests/s", "loads", "served without a load"],
    Object.keys(makers).map((name) => [
      name,
      `${perSecond(result.nanoseconds(name))} (${figure(result.ratio(name, byHand))})`,
      figure(loads.get(name)!),
      `${(100 - (100 * loads.get(name)!) / requests).toFixed(1)} %`,
    ]),
  );
}
