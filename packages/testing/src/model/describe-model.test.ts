import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "../faulty.ts";
import { mockStorage } from "../mock-storage.ts";
import { describeModel } from "./describe-model.ts";

describeModel("memoryStorage of bytes", { create: ({ clock }) => memoryStorage({ clock }), runs: 200 });

describeModel("memoryStorage of values", {
  create: ({ clock }) => memoryStorage<unknown>({ values: "any", clock }),
  values: [{ name: "Ada" }, { name: "Bob", tags: ["x"] }, [1, null, "two"], 0, ""],
  runs: 150,
});

describeModel("mockStorage", { create: ({ clock }) => mockStorage({ clock }), runs: 50 });

describeModel("memoryStorage under faults", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.3 })),
  runs: 200,
});
