import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, readText, settled, TrackedSource } from "../../test/map-storage.ts";
import type { Bytes } from "../contract/contract.ts";
import { fanOut } from "./fan-out.ts";

test("every stream gives all of the source", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ minLength: 1 })), fc.integer({ min: 1, max: 5 }), async (texts, count) => {
      const streams = fanOut(new TrackedSource(texts).stream, count);
      expect(await Promise.all(streams.map(readText))).toEqual(streams.map(() => texts.join("")));
    }),
  );
});

test("the slowest stream paces the source", async () => {
  const source = new TrackedSource(["a", "b", "c"]);
  const [fast, slow] = fanOut(source.stream, 2).map((stream) => stream.getReader());
  const first = fast?.read();
  await settled();
  expect(source.pulled).toBe(0);
  await slow?.read();
  await first;
  expect(source.pulled).toBe(1);
  void fast?.read();
  await settled();
  expect(source.pulled).toBe(1);
});

test("a stream that is cancelled paces no longer", async () => {
  const source = new TrackedSource(["a", "b"]);
  const [kept, left] = fanOut(source.stream, 2);
  const text = readText(kept);
  await settled();
  await left?.cancel();
  expect(await text).toBe("ab");
  expect(source.isCancelled).toBe(false);
});

test("when all streams are cancelled the source is, opened or not", async () => {
  for (const open of [true, false]) {
    const source = new TrackedSource(["a", "b"]);
    const readers = fanOut(source.stream, 2).map((stream) => stream.getReader());
    if (open) await Promise.all(readers.map((reader) => reader.read()));
    await readers[0]?.cancel("first");
    expect(source.isCancelled).toBe(false);
    await readers[1]?.cancel("last");
    expect(source.cancelled).toBe("last");
  }
});

test("a failure of the source reaches every stream", async () => {
  const failure = new Error("disk on fire");
  const failing = async function* (): AsyncGenerator<Bytes> {
    yield bytesOf("a");
    throw failure;
  };
  const results = await Promise.allSettled(fanOut(failing, 3).map(readText));
  for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: failure });
});

test("a source that cannot be opened fails every stream", async () => {
  const failure = new Error("no such file");
  const streams = fanOut(() => {
    throw failure;
  }, 2);
  for (const result of await Promise.allSettled(streams.map(readText))) expect(result).toMatchObject({ reason: failure });
});

test("what is no source and a number that makes no sense are refused", () => {
  expect(() => fanOut("text" as never, 2)).toThrow(expect.objectContaining({ code: "invalid-value" }));
  for (const count of [0, 1.5, Number.NaN]) {
    expect(() => fanOut(new Blob([]), count)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
});
