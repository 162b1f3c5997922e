import { stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { describeLayer } from "./contract/describe-layer.ts";
import { runContract } from "./contract/run.ts";
import { faulty } from "./faulty.ts";

describeLayer("faulty that has nothing to do", { create: (inner, { clock }) => stack(inner, faulty({ rate: 0, clock })) });

test("the contract does not hold over faults", async () => {
  const results = await runContract(
    { create: ({ clock }) => stack(memoryStorage({ clock }), faulty({ seed: 1, rate: 0.3, clock })) },
    { only: ({ section }) => section === 3 },
  );
  const broken = results.filter(({ outcome }) => outcome === "broken");
  expect(broken.length).toBeGreaterThan(results.length / 3);
});
