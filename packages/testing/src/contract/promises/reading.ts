import assert from "node:assert/strict";
import type { Bytes } from "@stowage/core";
import * as fc from "fast-check";
import { equal, promptly, refuses, rejects } from "../assertions.ts";
import { property } from "../property.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect } from "../reading.ts";
import { bytesOf } from "../samples.ts";
import { etagOf } from "./conditions.ts";

const size = 150_001;
const whole = bytesOf(size);

/** Streams out of a storage. */
export const reading: readonly ContractPromise[] = section(11, {
  "read streams the value": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    const entry = await bytes.read("key");
    assert.ok(entry?.value instanceof ReadableStream, "read must give a ReadableStream.");
    assert.equal(entry.value.locked, false, "The stream must not be locked.");
    equal(entry.key, "key", "The key");
    equal(await collect(entry), whole);
  }),
  "read tells the size of the whole value, for a part too": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    for (const options of [{}, { start: 5 }, { start: 5, end: 10 }, { end: 0 }, { start: -3 }]) {
      const entry = await bytes.read("key", options);
      equal(entry?.size, size, `The size of read(${JSON.stringify(options)})`);
      await entry?.value.cancel();
    }
  }),
  "read tells the etag of the whole value, for a part too": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    const etag = (await bytes.head("key"))?.etag;
    for (const options of [{}, { start: 5, end: 10 }, { start: -3 }]) {
      const entry = await bytes.read("key", options);
      equal(entry?.etag, etag, "The etag");
      await entry?.value.cancel();
    }
  }),
  "start leaves out the bytes before it": needs("streams", (context) => reads(context, { start: 100_000 })),
  "end leaves out the bytes from it on": needs("streams", (context) => reads(context, { end: 70_000 })),
  "start and end give the bytes between": needs("streams", (context) => reads(context, { start: 65_535, end: 65_538 })),
  "a negative start counts from the end": needs("streams", (context) => reads(context, { start: -10 })),
  "a negative end counts from the end": needs("streams", (context) => reads(context, { start: 149_000, end: -10 })),
  "a start beyond the value gives no bytes": needs("streams", (context) => reads(context, { start: size + 1 })),
  "an end beyond the value is the end of the value": needs("streams", (context) => reads(context, { start: 149_999, end: size * 2 })),
  "a start far before the value is its start": needs("streams", (context) => reads(context, { start: -size * 2, end: 3 })),
  "an end before the start gives no bytes": needs("streams", (context) => reads(context, { start: 10, end: 5 })),
  "an end of 0 gives no bytes": needs("streams", (context) => reads(context, { end: 0 })),
  "any range gives what Blob.slice gives": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    const bound = fc.option(fc.oneof(fc.integer({ min: -size - 9, max: size + 9 }), fc.integer({ min: -9, max: 9 })), { nil: undefined });
    await property(
      fc.record({ start: bound, end: bound }),
      async ({ start, end }) => {
        const expected = new Uint8Array(await new Blob([whole]).slice(start, end).arrayBuffer());
        equal(await collect(await bytes.read("key", { start, end })), expected);
      },
      25,
    );
  }),
  "any range of a small value gives what Blob.slice gives": needs("streams", async ({ bytes }) => {
    const bound = fc.option(fc.integer({ min: -14, max: 14 }), { nil: undefined });
    await property(fc.record({ value: fc.uint8Array({ maxLength: 12 }), start: bound, end: bound }), async ({ value, start, end }) => {
      await bytes.put("key", value);
      const entry = await bytes.read("key", { start, end });
      equal(entry?.size, value.length, "The size");
      equal(await collect(entry), new Uint8Array(await new Blob([value]).slice(start, end).arrayBuffer()));
    });
  }),
  "an empty value streams no bytes": needs("streams", async ({ bytes }) => {
    await bytes.put("key", new Uint8Array(0));
    for (const options of [{}, { start: 0, end: 10 }, { start: -5 }]) {
      const entry = await bytes.read("key", options);
      equal(entry?.size, 0, "The size");
      equal(await collect(entry), new Uint8Array(0));
    }
  }),
  "a range that is no whole number is refused": needs("streams", async (context) => {
    await context.bytes.put("key", whole);
    for (const bad of [1.5, Number.NaN, Infinity, "1", null]) {
      await refuses(context, () => context.bytes.read("key", { start: bad as number }), "invalid-option");
      await refuses(context, () => context.bytes.read("key", { end: bad as number }), "invalid-option");
    }
  }),
  "read with ifMatch gives the version that it names": needs(["streams", "replace"], async ({ bytes }) => {
    const ifMatch = etagOf(await bytes.put("key", whole));
    equal(await collect(await bytes.read("key", { ifMatch })), whole);
    equal(await collect(await bytes.read("key", { ifMatch, start: 5, end: 50 })), whole.slice(5, 50), "The part");
  }),
  "read with ifMatch refuses another version": needs("streams", async ({ bytes }) => {
    const first = await bytes.put("key", bytesOf(100, 1));
    await bytes.put("key", bytesOf(100, 2));
    for (const ifMatch of [first.etag ?? "unknown", "", "*"]) {
      await rejects(() => bytes.read("key", { ifMatch }), "precondition-failed");
      await rejects(() => bytes.read("key", { ifMatch, start: 1, end: 2 }), "precondition-failed");
    }
  }),
  "read with ifMatch refuses what is missing": needs("streams", async ({ bytes }) => {
    await rejects(() => bytes.read("missing", { ifMatch: "etag" }), "precondition-failed");
  }),
  "read refuses an ifMatch that is no text": needs("streams", async (context) => {
    await refuses(context, () => context.bytes.read("key", { ifMatch: 1 as unknown as string }), "invalid-option");
  }),
  "many read one entry at once": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    const found = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => await collect(await bytes.read("key", { start: index * 1000 }))),
    );
    for (const [index, value] of found.entries()) equal(value, whole.slice(index * 1000), `What reader ${index} got`);
  }),
  "a stream can be given up half-way": needs("streams", async (context) => {
    const { bytes } = context;
    await bytes.put("key", whole);
    const reader = (await bytes.read("key"))!.value.getReader();
    await reader.read();
    await promptly(context, "cancel of a stream", reader.cancel("enough"));
    await bytes.put("key", bytesOf(10));
    await bytes.delete("key");
    await promptly(context, "close after a stream was given up", bytes.close());
  }),
  "a stream can be given up before it is read": needs("streams", async (context) => {
    const { bytes } = context;
    await bytes.put("key", whole);
    for (let count = 0; count < 20; count++) await (await bytes.read("key"))?.value.cancel();
    equal(await bytes.get("key"), whole);
    await promptly(context, "close after streams were given up", bytes.close());
  }),
  "a stream can be read slowly while others work": needs("streams", async ({ bytes }) => {
    await bytes.put("key", whole);
    const chunks: Bytes[] = [];
    let step = 0;
    for await (const chunk of (await bytes.read("key"))!.value) {
      chunks.push(chunk);
      await bytes.put(`other-${step++ % 3}`, bytesOf(100));
      await bytes.get("key");
    }
    equal(new Uint8Array(await new Blob(chunks).arrayBuffer()), whole);
  }),
});

/** Checks one range against `Blob.slice`. */
async function reads({ bytes }: ContractContext, options: { readonly start?: number; readonly end?: number }): Promise<void> {
  await bytes.put("key", whole);
  const expected = new Uint8Array(await new Blob([whole]).slice(options.start, options.end).arrayBuffer());
  equal(await collect(await bytes.read("key", options)), expected);
}
