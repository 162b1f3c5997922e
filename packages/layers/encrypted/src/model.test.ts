import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeModel } from "@stowage/testing/contract";
import { encrypted } from "./encrypted.ts";
import { first } from "./testing/set-up.ts";

describeModel("encrypted", { create: ({ clock }) => stack(memoryStorage({ clock }), encrypted({ keys: [first], clock })), runs: 60 });

describeModel("encrypted over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), encrypted({ keys: [first], clock })),
  runs: 60,
});
