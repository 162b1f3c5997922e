import { StorageError } from "@stowage/core";
import { expect, test } from "vitest";
import { fateOf } from "./outcomes.ts";

const failures = [{ index: 0, key: "a", error: new StorageError("unavailable", "Away.") }];

test("a partial batch tells of each of its operations", () => {
  const reason = new StorageError("partial", "One failed.", { operation: "batch", failures });
  expect([fateOf(reason, 0, "a"), fateOf(reason, 1, "b")]).toEqual(["no", "yes"]);
});

test("a partial write tells of the storages that it went to, so it may have happened where it says so of itself", () => {
  const some = new StorageError("partial", "One of two has it.", { operation: "put", failures, outcome: "unknown" });
  const none = new StorageError("partial", "None has it.", { operation: "put", failures });
  expect([fateOf(some, 0, "a"), fateOf(none, 0, "a")]).toEqual(["maybe", "no"]);
});
