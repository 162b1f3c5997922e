import { expect, test } from "vitest";
import { MapStorage } from "../../test/map-storage.ts";
import { getOrThrow } from "./get-or-throw.ts";

test("a value that is there is given, also one that is falsy", async () => {
  const storage = new MapStorage<unknown>();
  for (const value of ["text", "", 0, false, null]) {
    await storage.put("key", value);
    expect(await getOrThrow(storage, "key")).toBe(value);
  }
});

test("a missing value is a failed precondition that names the key outside the message", async () => {
  const failure: unknown = await getOrThrow(new MapStorage(), "secret").catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "precondition-failed", operation: "get", key: "secret", storage: "map", retryable: false });
  expect(String(failure)).not.toContain("secret");
});

test("the signal is passed on", async () => {
  await expect(getOrThrow(new MapStorage(), "key", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
});
