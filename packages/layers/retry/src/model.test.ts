import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeModel } from "@stowage/testing/contract";
import { retry } from "./retry.ts";

describeModel("retry over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), retry({ clock })),
  runs: 100,
});
