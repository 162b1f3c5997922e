import { expect, test } from "vitest";
import { StorageError } from "./storage-error.ts";

test("what may pass is retryable, what is settled is not", () => {
  for (const code of ["conflict", "timeout", "throttled", "unavailable"] as const) expect(new StorageError(code, "").retryable).toBe(true);
  for (const code of ["precondition-failed", "corrupt", "full", "denied", "internal"] as const)
    expect(new StorageError(code, "").retryable).toBe(false);
  expect(new StorageError("full", "", { retryable: true }).retryable).toBe(true);
});

test("an error tells all that was told to it", () => {
  const cause = new Error("below");
  const failures = [{ index: 0, key: "a", error: cause }];
  const told = { operation: "put", key: "a", storage: "file", retryAfter: 5, failures, outcome: "unknown", cause } as const;
  expect(new StorageError("partial", "Some failed.", told)).toMatchObject({ name: "StorageError", message: "Some failed.", ...told });
});

test("the outcome is known unless said otherwise, and there is no cause where none was given", () => {
  const error = new StorageError("denied", "");
  expect(error.outcome).toBe("none");
  expect("cause" in error).toBe(false);
});

test("errors of another copy of the package are recognised", () => {
  class Copy extends Error {
    override readonly name = "StorageError";
    readonly code = "full";
    readonly retryable = false;
  }
  expect(StorageError.is(new Copy())).toBe(true);
  expect(StorageError.is(new Copy(), "full")).toBe(true);
  expect(StorageError.is(new Copy(), "denied")).toBe(false);
});

test("other errors and things that are none are not recognised", () => {
  const likeness = { name: "StorageError", code: "full", retryable: false };
  for (const error of [new Error("x"), new TypeError("x"), likeness, undefined, null, "full"]) expect(StorageError.is(error)).toBe(false);
});
