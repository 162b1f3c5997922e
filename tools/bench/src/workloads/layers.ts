import type { Call, Next, Storage } from "@stowage/core";
import { AroundStorage, ForwardingStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import { compare } from "../harness/compare.ts";
import { figure } from "../harness/report.ts";
import type { Workload } from "../harness/workload.ts";

/** What a layer costs that changes nothing, and one that only looks at the result. */
export const layers: Workload = {
  name: "layers",
  about: "Nanoseconds that a layer adds to a call, over a memory storage that shares its values.",
  async run(bench) {
    const { rounds, budget } = bench.quick;
    const more = { rounds: rounds * 2 - 1, budget };
    const stores = {
      "no layer": bottom(),
      "six layers": six.reduce((below, Layer) => new Layer(below), bottom()),
      "one that looks": new Looking(bottom()),
    };
    for (const store of Object.values(stores)) await putAll(store, data);
    for (const [operation, calling] of Object.entries({ get: getting<string>, put: putting<string> })) {
      const contenders = Object.entries(stores).map(([name, store]) => calling(name, store, data));
      const result = await compare(contenders, more);
      const perLayer = result.extra("six layers", "no layer") / six.length;
      const looking = result.extra("one that looks", "no layer");
      bench.report.table(
        `ns per ${operation}()`,
        ["contender", "ns", "added per layer"],
        [
          ["no layer", figure(result.nanoseconds("no layer")), "0"],
          ["six different pass-through layers", figure(result.nanoseconds("six layers")), figure(perLayer)],
          ["one that looks at the result", figure(result.nanoseconds("one that looks")), figure(looking)],
        ],
      );
      bench.report.atMost(`each of six pass-through layers, ${operation}`, perLayer, 10, " ns");
      bench.report.atMost(`a layer that looks at the result, ${operation}`, looking, 60, " ns");
    }
  },
};

const keys = keysOf(1000);
const data = { keys, values: keys };

function bottom(): Storage<string> {
  return memoryStorage<string>({ values: "any", share: true });
}

class First extends ForwardingStorage<string> {
  readonly name = "first";
}

class Second extends ForwardingStorage<string> {
  readonly name = "second";
}

class Third extends ForwardingStorage<string> {
  readonly name = "third";
}

class Fourth extends ForwardingStorage<string> {
  readonly name = "fourth";
}

class Fifth extends ForwardingStorage<string> {
  readonly name = "fifth";
}

class Sixth extends ForwardingStorage<string> {
  readonly name = "sixth";
}

const six: readonly (new (below: Storage<string>) => Storage<string>)[] = [First, Second, Third, Fourth, Fifth, Sixth];

class Looking extends AroundStorage<string> {
  readonly name = "looking";
  answers = 0;

  protected override around<T>(_call: Call, next: Next<T>): Promise<T> {
    return next().then((answer) => {
      if (answer !== undefined) this.answers++;
      return answer;
    });
  }
}
