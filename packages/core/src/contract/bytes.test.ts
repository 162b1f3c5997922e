import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readText } from "../../test/map-storage.ts";
import { checkBytes, concatBytes, copyBytes, ownedBytes, resolveRange, streamOf } from "./bytes.ts";

test("a range means what it means in Blob.slice", async () => {
  const bound = fc.option(fc.integer({ min: -40, max: 40 }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 20 }), bound, bound, async (value, start, end) => {
      const range = resolveRange(value.byteLength, start, end);
      const expected = await new Blob([value]).slice(start, end).bytes();
      expect(value.slice(range.start, range.end)).toEqual(new Uint8Array(expected));
      expect(range.start).toBeLessThanOrEqual(range.end);
    }),
  );
});

test("a copy is a plain Uint8Array that owns its memory, also of a Buffer", () => {
  const pooled = Buffer.from("hello");
  for (const copy of [
    copyBytes(pooled),
    ownedBytes(pooled),
    concatBytes([pooled]),
    concatBytes([pooled.subarray(0, 2), pooled.subarray(2)]),
  ]) {
    expect(copy.constructor).toBe(Uint8Array);
    expect(copy.buffer.byteLength).toBe(5);
    expect(Buffer.from(copy).toString()).toBe("hello");
  }
});

test("bytes that are owned already are not copied again", () => {
  const owned = Uint8Array.of(1, 2);
  expect(ownedBytes(owned)).toBe(owned);
  expect(ownedBytes(owned.subarray(1))).not.toBe(owned);
});

test("no chunks are an empty value", () => {
  expect(concatBytes([])).toEqual(new Uint8Array());
});

test("what is not bytes is named in the refusal", () => {
  const cases: [value: unknown, kind: string][] = [
    ["text", "string"],
    [undefined, "undefined"],
    [null, "null"],
    [[1], "Array"],
    [new Uint16Array(1), "Uint16Array"],
    [Object.create(null), "an object"],
  ];
  for (const [value, kind] of cases) {
    expect(() => checkBytes(value, "put", "map", "key")).toThrow(
      expect.objectContaining({ code: "invalid-value", message: `A byte storage takes a Uint8Array, got ${kind}.`, key: "key" }),
    );
  }
});

test("a stream of one value gives it, and an empty one just ends", async () => {
  expect(await readText(streamOf(Uint8Array.of(0x68, 0x69)))).toBe("hi");
  expect((await streamOf(new Uint8Array()).getReader().read()).done).toBe(true);
});

test("a stream of one value ends with the reason of its signal", async () => {
  const abort = new AbortController();
  const stream = streamOf(Uint8Array.of(1), abort.signal);
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(stream.getReader().read()).rejects.toBe(reason);
});
