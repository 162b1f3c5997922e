import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeModel } from "@stowage/testing/contract";
import { compressed } from "./compressed.ts";

describeModel("compressed", { create: ({ clock }) => stack(memoryStorage({ clock }), compressed({ clock })), runs: 100 });

describeModel("compressed over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), compressed({ clock })),
  runs: 100,
});
