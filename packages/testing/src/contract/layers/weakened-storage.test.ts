import { ForwardingStorage } from "@stowage/core";
import type { Bytes, Capabilities } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import type { Weakness } from "./weakened-storage.ts";
import { weaknesses, WeakenedStorage } from "./weakened-storage.ts";

class WithoutTtl extends ForwardingStorage<Bytes> {
  readonly name = "without-ttl";

  override get capabilities(): Capabilities {
    return { ...super.capabilities, ttl: false };
  }
}

test("a weakness adds no ability that is not there below", () => {
  const lazy = weaknesses.find(({ name }) => name === "with lazy ttl") as Weakness;
  expect(new WeakenedStorage(memoryStorage(), lazy).capabilities.ttl).toBe("lazy");
  expect(new WeakenedStorage(new WithoutTtl(memoryStorage()), lazy).capabilities.ttl).toBe(false);
});
