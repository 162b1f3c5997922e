import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { behind } from "./index.ts";

describeModel("behind, over a storage that fails", {
  create: ({ clock, seed }) =>
    stack(
      memoryStorage({ clock }),
      faulty({ seed, clock, rate: 0.2, operations: ["put", "delete", "batch"] }),
      behind({ clock, window: 5, journal: memoryStorage({ clock }) }),
    ),
  runs: 100,
});

describeModel("behind, with a journal that fails", {
  create: ({ clock, seed }) =>
    behind({
      clock,
      window: 5,
      journal: stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2, operations: ["put", "delete", "batch"] })),
    })(memoryStorage({ clock })),
  runs: 100,
});

describeLinearizable("behind, over a storage and a journal that are late and fail", {
  create: ({ clock, seed }) =>
    stack(
      memoryStorage({ clock }),
      faulty({ seed, clock, rate: 0.5, kinds: ["delays", "fails", "loses"], operations: ["put", "delete", "batch"] }),
      behind({ clock, window: 5, journal: stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.5, kinds: ["delays"] })) }),
    ),
});
