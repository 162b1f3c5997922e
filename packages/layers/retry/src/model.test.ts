import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLinearizable, describeModel } from "@stowage/testing/contract";
import { retry } from "./retry.ts";

describeModel("retry over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), retry({ clock })),
  runs: 100,
});

// Without lost answers: an unconditional write whose answer was lost is sent again, and may so take effect twice.
describeLinearizable("retry over a storage that fails and is late", {
  create: ({ clock, seed }) =>
    stack(
      memoryStorage({ clock }),
      faulty({ seed, clock, rate: 0.2, kinds: ["fails", "breaks"] }),
      faulty({ seed, clock, rate: 0.5, kinds: ["delays"] }),
      retry({ clock }),
    ),
});
