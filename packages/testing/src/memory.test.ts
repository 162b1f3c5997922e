import { memoryStorage } from "@stowage/memory";
import { describe, expect, test } from "vitest";
import { describeStorage, runContract } from "./contract.ts";

describeStorage("memoryStorage of bytes", {
  create: ({ clock }) => memoryStorage({ clock }),
});

describeStorage("memoryStorage of bytes within limits", {
  create: ({ clock }) => memoryStorage({ clock, maxEntries: 5_000, maxSize: 100_000_000 }),
});

describeStorage("memoryStorage of values", {
  create: ({ clock }) => memoryStorage<unknown>({ values: "any", clock }),
  values: [{ name: "Ada", tags: ["countess"] }, ["a", "list", new Date(0), null], new Map([["key", { deep: true }]])],
});

describeStorage("memoryStorage of values with a size", {
  create: ({ clock }) => memoryStorage<string>({ values: "any", sizeOf: (value) => value.length, maxSize: 1_000_000, clock }),
  values: ["first", "the second one", ""],
});

describeStorage("memoryStorage of shared values", {
  create: ({ clock }) => memoryStorage<unknown>({ values: "any", share: true, clock }),
  values: ["nobody can change text", "nor this", 42],
});

describe("memoryStorage of shared bytes", () => {
  test("keeps and hands out the very value that was put, and keeps every other promise", async () => {
    const results = await runContract({ create: ({ clock }) => memoryStorage({ share: true, clock }) });
    const broken = results.filter(({ outcome }) => outcome === "broken").map(({ promise }) => promise.name);
    expect(broken).toEqual([
      "changing a value after put settled changes nothing stored",
      "changing a value after batch settled changes nothing stored",
      "changing what get gave changes nothing stored",
      "changing what getEntry gave changes nothing stored",
      "changing what getEntries gave changes nothing stored",
      "two who get one value do not share it",
      "one value under two keys is two values",
      "of a view, only what it shows is stored",
      "bytes in shared memory may go in",
      "what comes out can be transferred without harm",
      "getEntries answers a key as often as it is asked for, each time with a value of its own",
    ]);
  });
});
