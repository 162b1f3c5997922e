import { expect, test } from "vitest";
import { MapByteStorage, MapStorage } from "../../test/map-storage.ts";
import { json } from "../codecs/json.ts";
import { borrowed } from "../layers/borrowed.ts";
import { limited } from "../layers/limited.ts";
import { prefixed } from "../layers/prefixed.ts";
import { readOnly } from "../layers/read-only.ts";
import { stack } from "../stack.ts";
import { isByteStorage } from "./is-byte-storage.ts";

const through = [borrowed(), limited({ timeout: 1_000 }), prefixed("a/"), readOnly()] as const;

test("bytes stay bytes through every layer", () => {
  expect(isByteStorage(stack(new MapByteStorage(), ...through))).toBe(true);
});

test("values stay values through every layer, and have neither read nor write", () => {
  const values = stack(new MapByteStorage(), json(), ...through);
  expect(isByteStorage(values)).toBe(false);
  expect(isByteStorage(stack(new MapStorage<number>(), ...through))).toBe(false);
  expect(["read", "write"].map((name) => Reflect.get(values, name))).toEqual([undefined, undefined]);
});
