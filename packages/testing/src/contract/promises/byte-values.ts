import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ByteStorage } from "@stowage/core";
import * as fc from "fast-check";
import { equal, isPlain, refuses } from "../assertions.ts";
import { property } from "../property.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect } from "../reading.ts";
import { bytesOf, everyByte, text } from "../samples.ts";

/** What holds for bytes. */
export const byteValues: readonly ContractPromise[] = section(3, {
  "every byte comes back": needs("bytes", async ({ bytes }) => {
    await bytes.put("key", everyByte);
    equal(await bytes.get("key"), everyByte);
  }),
  "any bytes come back": needs("bytes", async ({ bytes }) => {
    await property(fc.uint8Array({ maxLength: 5000 }), async (value) => {
      await bytes.put("key", value);
      equal(await bytes.get("key"), value);
    });
  }),
  "bytes of any size come back": needs("bytes", async ({ bytes }) => {
    for (const size of [1, 127, 128, 4095, 4096, 4097, 16_384, 65_535, 65_536, 65_537]) {
      await bytes.put("key", bytesOf(size));
      equal(await bytes.get("key"), bytesOf(size), `The value of ${size} bytes`);
    }
  }),
  "a value above a megabyte comes back": needs("bytes", async ({ bytes }) => {
    const value = bytesOf(1_300_003);
    await bytes.put("key", value);
    equal(await bytes.get("key"), value);
  }),
  "bytes that all are alike come back": needs("bytes", async ({ bytes }) => {
    for (const value of [new Uint8Array(20_000), new Uint8Array(20_000).fill(0xff), text("ab".repeat(9000))]) {
      await bytes.put("key", value);
      equal(await bytes.get("key"), value);
    }
  }),
  "an empty value is a value": needs("bytes", async ({ bytes }) => {
    await bytes.put("key", new Uint8Array(0));
    equal(await bytes.get("key"), new Uint8Array(0));
    equal(await bytes.has("key"), true, "has");
    equal((await bytes.getEntry("key"))?.value, new Uint8Array(0), "getEntry");
    equal((await bytes.getEntries(["key"]))[0]?.value, new Uint8Array(0), "getEntries");
    assert.ok((await bytes.head("key")) !== undefined, "head must find it.");
  }),
  "an empty value takes the place of another": needs("bytes", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    await bytes.put("key", new Uint8Array(0));
    equal(await bytes.get("key"), new Uint8Array(0));
  }),
  "a Buffer may go in, and comes out as plain bytes": needs("bytes", async ({ bytes }) => {
    await bytes.put("key", Buffer.from("from the pool"));
    equal(await bytes.get("key"), text("from the pool"));
    equal((await bytes.getEntry("key"))?.value, text("from the pool"), "getEntry");
    equal((await bytes.getEntries(["key"]))[0]?.value, text("from the pool"), "getEntries");
  }),
  "a Buffer may go in through batch": needs("bytes", async ({ bytes }) => {
    await bytes.batch([{ type: "put", key: "key", value: Buffer.from("from the pool") }]);
    equal(await bytes.get("key"), text("from the pool"));
  }),
  "of a view, only what it shows is stored": needs("bytes", async ({ bytes }) => {
    const whole = everyByte.slice();
    await bytes.put("middle", whole.subarray(10, 20));
    await bytes.put("empty", whole.subarray(10, 10));
    whole.fill(0);
    equal(await bytes.get("middle"), everyByte.slice(10, 20));
    equal(await bytes.get("empty"), new Uint8Array(0));
  }),
  "bytes in shared memory may go in": needs("bytes", async ({ bytes }) => {
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set([1, 2, 3, 4]);
    await bytes.put("key", shared);
    equal(await bytes.get("key"), Uint8Array.of(1, 2, 3, 4));
  }),
  "what comes out owns its memory": needs("bytes", async ({ bytes }) => {
    for (const size of [0, 1, 100, 5000, 70_000]) {
      await bytes.put("key", bytesOf(size));
      isPlain(await bytes.get("key"), `get of ${size} bytes`);
      isPlain((await bytes.getEntry("key"))?.value, `getEntry of ${size} bytes`);
      isPlain((await bytes.getEntries(["key"]))[0]?.value, `getEntries of ${size} bytes`);
    }
  }),
  "what comes out can be transferred without harm": needs("bytes", async ({ bytes }) => {
    await bytes.put("key", bytesOf(300));
    const given = await bytes.get("key");
    structuredClone(given, { transfer: [given!.buffer] });
    equal(await bytes.get("key"), bytesOf(300));
  }),
  "put leaves the bytes that it is given where they are": needs("bytes", async ({ bytes }) => {
    const given = bytesOf(5000);
    await bytes.put("key", given);
    equal(given, bytesOf(5000), "The array that was given");
  }),
  "what is not bytes is refused": needs("bytes", async (context) => {
    const { bytes, value } = context;
    await bytes.put("key", value(0) as Uint8Array);
    for (const wrong of notBytes) await refuses(context, () => bytes.put("key", wrong as Uint8Array), "invalid-value");
    equal(await bytes.get("key"), value(0), "The value that was there");
  }),
  "size is the number of bytes": needs("bytes", async ({ bytes }) => {
    for (const size of [0, 1, 1000, 70_000]) {
      const info = await bytes.put("key", bytesOf(size));
      await checkSizes(bytes, size, info.size);
    }
  }),
  "changing a chunk that read gave changes nothing stored": needs("streams", async ({ bytes }) => {
    await bytes.put("key", bytesOf(1000));
    for await (const chunk of (await bytes.read("key"))!.value) chunk.fill(0);
    equal(await collect(await bytes.read("key")), bytesOf(1000));
  }),
  "changing a chunk after write settled changes nothing stored": needs("streams", async ({ bytes }) => {
    const chunks = [bytesOf(1000, 1), bytesOf(1000, 2)];
    await bytes.write("key", new ReadableStream({ start: (to) => (chunks.forEach((chunk) => to.enqueue(chunk)), to.close()) }));
    for (const chunk of chunks) chunk.fill(0);
    equal(await bytes.get("key"), Uint8Array.from([...bytesOf(1000, 1), ...bytesOf(1000, 2)]));
  }),
});

const notBytes: readonly unknown[] = [
  "text",
  1,
  true,
  null,
  {},
  [1, 2, 3],
  new ArrayBuffer(4),
  new DataView(new ArrayBuffer(4)),
  new Float64Array(4),
  new Uint16Array(4),
  new Int8Array(4),
  new Uint8ClampedArray(4),
  new Blob(["text"]),
];

async function checkSizes(bytes: ByteStorage, size: number, ofPut: number | undefined): Promise<void> {
  const sizes = [ofPut, (await bytes.head("key"))?.size, (await bytes.getEntry("key"))?.size];
  if (bytes.capabilities.list !== "none") sizes.push((await bytes.list({ info: true })).entries[0]?.size);
  for (const told of sizes) if (told !== undefined) equal(told, size, "The size");
}
