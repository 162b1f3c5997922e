import { crc32 as native } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { crc32, portableCrc32 } from "./crc32.ts";

test("the portable checksum is the one of node:zlib, in one go and continued", () => {
  const anyCut = fc.tuple(fc.uint8Array({ maxLength: 700 }), fc.nat(700), fc.nat(9));
  fc.assert(
    fc.property(anyCut, ([bytes, cut, offset]) => {
      const view = new Uint8Array(bytes.byteLength + offset).subarray(offset); // not at the start of its memory
      view.set(bytes);
      expect(portableCrc32(view)).toBe(native(view));
      expect(portableCrc32(view.subarray(cut), portableCrc32(view.subarray(0, cut)))).toBe(native(view));
      expect(crc32(view.subarray(cut), crc32(view.subarray(0, cut)))).toBe(native(view));
    }),
  );
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});
