import { memoryStorage } from "@stowage/memory";
import { retry } from "@stowage/retry";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Workload } from "../harness/workload.ts";

/** What `retry()` costs while nothing goes wrong. */
export const retrying: Workload = {
  name: "retry",
  about: "Nanoseconds that retry() adds to a call that succeeds, over a memory storage that shares its values.",
  async run(bench) {
    const { rounds, budget } = bench.quick;
    const bare = memoryStorage<string>({ values: "any", share: true });
    const repeating = retry()(memoryStorage<string>({ values: "any", share: true }));
    for (const store of [bare, repeating]) await putAll(store, data);
    for (const [operation, calling] of Object.entries({ get: getting<string>, put: putting<string> })) {
      const contenders = [calling("bare", bare, data), calling("retry", repeating, data)];
      const result = await compare(contenders, { rounds: rounds * 2 - 1, budget });
      const added = result.extra("retry", "bare");
      bench.report.table(
        `ns per ${operation}()`,
        ["contender", "ns", "added"],
        [
          ["no layer", figure(result.nanoseconds("bare")), "0"],
          ["retry()", figure(result.nanoseconds("retry")), figure(added)],
        ],
      );
      bench.report.atMost(`the happy path, ${operation}`, added, 60, " ns");
    }
  },
};

const keys = keysOf(1000);
const data = { keys, values: keys };
