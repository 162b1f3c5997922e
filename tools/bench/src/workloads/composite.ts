import { composite } from "@stowage/composite";
import type { ByteStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Workload } from "../harness/workload.ts";

/** What several replicas cost while all of them are well, over memories that share their values. */
export const compositing: Workload = {
  name: "composite",
  about: "What composite() adds to a get that the first replica answers, and to a put to three replicas against Promise.all by hand.",
  async run(bench) {
    const { rounds, budget } = bench.quick;
    const more = { rounds: rounds * 2 - 1, budget };
    const bare = memory();
    const first = composite({ replicas: threeOf() });
    const quorum = composite({ replicas: threeOf(), write: { quorum: 2 }, read: { quorum: 2 } });
    for (const store of [bare, first, quorum]) await putAll(store, data);
    const gets = await compare([getting("bare", bare, data), getting("first", first, data), getting("quorum", quorum, data)], more);
    bench.report.table(
      "ns per get()",
      ["contender", "ns", "added"],
      [
        ["one memory", figure(gets.nanoseconds("bare")), "0"],
        ["composite, the first of three", figure(gets.nanoseconds("first")), figure(gets.extra("first", "bare"))],
        ["composite, a quorum of two", figure(gets.nanoseconds("quorum")), figure(gets.extra("quorum", "bare"))],
      ],
    );
    bench.report.atMost("get from the first of three", gets.extra("first", "bare"), 400, " ns");

    const byHand = Object.values(threeOf());
    const all = {
      get: undefined as never,
      put: (key: string, value: Uint8Array) => Promise.all(byHand.map((each) => each.put(key, value))),
    };
    const single = composite({ replicas: threeOf(), singleWriter: true });
    const puts = await compare([putting("by hand", all, data), putting("single", single, data), putting("asking", first, data)], more);
    bench.report.table(
      "ns per put() to three replicas",
      ["contender", "ns", "times as long"],
      [
        ["Promise.all by hand", figure(puts.nanoseconds("by hand")), "1"],
        ["composite, singleWriter", figure(puts.nanoseconds("single")), figure(1 / puts.ratio("single", "by hand"))],
        ["composite", figure(puts.nanoseconds("asking")), figure(1 / puts.ratio("asking", "by hand"))],
      ],
    );
    bench.report.atMost("put to three by the only writer, added", puts.extra("single", "by hand") / 1000, 25, " µs");
    bench.report.atMost("put to three that asks first, added", puts.extra("asking", "by hand") / 1000, 50, " µs");
  },
};

const memory = (): ByteStorage => memoryStorage({ share: true });
const threeOf = (): Record<string, ByteStorage> => ({ one: memory(), two: memory(), three: memory() });

const keys = keysOf(1000);
const data = { keys, values: keys.map(() => new Uint8Array(1024)) };
