import { expect, test } from "vitest";
import { MapByteStorage } from "../../test/map-storage.ts";
import { json, JsonStorage } from "../codecs/json.ts";
import type { AnyStorage } from "../contract/contract.ts";
import { borrowed, BorrowedStorage } from "../layers/borrowed.ts";
import { prefixed, PrefixedStorage } from "../layers/prefixed.ts";
import { ReadOnlyStorage } from "../layers/read-only.ts";
import { stack } from "../stack.ts";
import { findLayer } from "./find-layer.ts";

test("a part of a stack is found by its class, the topmost first", () => {
  const storage = stack(new MapByteStorage(), prefixed("low/"), json(), prefixed("high/"));
  expect(findLayer(storage, PrefixedStorage)?.details().options).toEqual({ prefix: "high/" });
  expect(findLayer(storage, JsonStorage)?.name).toBe("json");
  expect(findLayer(storage, MapByteStorage)?.calls).toEqual([]);
});

test("what is not in the stack is undefined", () => {
  expect(findLayer(stack(new MapByteStorage(), json()), ReadOnlyStorage)).toBeUndefined();
});

test("every storage that a part stands on is searched", () => {
  const second = stack(new MapByteStorage(), borrowed());
  const both = Object.assign(new MapByteStorage(), { inner: [new MapByteStorage(), second] as readonly AnyStorage[] });
  expect(findLayer(both, BorrowedStorage)).toBe(second);
});
