import assert from "node:assert/strict";
import { causeOf, describe, equal, failure, promptly, rejects, turn } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect, keysOf } from "../reading.ts";
import { bytesOf } from "../samples.ts";
import { trackedSource } from "../sources.ts";

const contenders = 16;

export const atomicWrites: readonly ContractPromise[] = section(4, {
  "puts that race for a key leave one whole value": async ({ storage, value }) => {
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: contenders }, (_, index) => storage.put("key", value(index % 2))));
      isOneOf(await storage.get("key"), [value(0), value(1)]);
    }
  },
  "puts of different sizes that race leave one whole value": needs("bytes", async ({ bytes }) => {
    const versions = Array.from({ length: contenders }, (_, index) => new Uint8Array(1 + index * 3001).fill(index));
    await Promise.all(versions.map((version) => bytes.put("key", version)));
    isOneOf(await bytes.get("key"), versions);
  }),
  "writes that race for a key leave one whole value": needs("streams", async ({ bytes }) => {
    const versions = Array.from({ length: contenders }, (_, index) => new Uint8Array(6000 + index).fill(index));
    await Promise.all(
      versions.map((version) => bytes.write("key", trackedSource([version.subarray(0, 3000), version.subarray(3000)]).iterable())),
    );
    isOneOf(await bytes.get("key"), versions);
  }),
  "puts, writes and deletes that race leave a whole value or none": needs("streams", async ({ bytes }) => {
    const versions = [bytesOf(20_000, 1), bytesOf(30_000, 2)] as const;
    for (let round = 0; round < 4; round++) {
      await Promise.all([bytes.put("key", versions[0]), bytes.write("key", new Blob([versions[1]])), bytes.delete("key")]);
      const found = await bytes.get("key");
      if (found !== undefined) isOneOf(found, versions);
      equal(await bytes.has("key"), found !== undefined, "has");
    }
  }),
  "who reads while others put sees whole values": needs("bytes", async ({ bytes }) => {
    const versions = [new Uint8Array(9000).fill(1), new Uint8Array(12_000).fill(2)] as const;
    await bytes.put("key", versions[0]);
    await Promise.all([
      repeat(20, (index) => bytes.put("key", versions[index % 2] as Uint8Array)),
      repeat(20, async () => isOneOf(await bytes.get("key"), versions)),
    ]);
  }),
  "an entry that is replaced is never missing in between": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await Promise.all([
      repeat(20, (index) => storage.put("key", value(index))),
      repeat(20, async () => equal(await storage.has("key"), true, "has")),
    ]);
  },
  "who streams while others put gets one whole version": needs("streams", async ({ bytes }) => {
    const versions = [new Uint8Array(200_000).fill(1), new Uint8Array(200_000).fill(2)] as const;
    await bytes.put("key", versions[0]);
    const entry = await bytes.read("key");
    await bytes.put("key", versions[1]);
    const found = await collect(entry).catch((error: unknown) => error);
    if (!(found instanceof Error)) isOneOf(found, versions);
  }),
  "who streams while it is deleted gets the whole value or an error": needs("streams", async ({ bytes }) => {
    const value = bytesOf(200_000);
    await bytes.put("key", value);
    const entry = await bytes.read("key");
    await bytes.delete("key");
    const found = await collect(entry).catch((error: unknown) => error);
    if (!(found instanceof Error)) equal(found, value);
  }),
  "a value is not there before its write is complete": needs("streams", async (context) => {
    const { bytes, capabilities } = context;
    const control = new AbortController();
    const source = trackedSource([bytesOf(10), bytesOf(100_000)], { hangs: true });
    const writing = failure(() => bytes.write("key", source.iterable(), { signal: control.signal }));
    for (let count = 0; count < 20; count++) await turn();
    equal(await bytes.get("key"), undefined, "get while the source goes on");
    if (capabilities.list !== "none") equal(await keysOf(bytes), [], "The listing while the source goes on");
    control.abort();
    await promptly(context, "An aborted write", writing);
  }),
  "a write that goes on leaves the old value readable": needs("streams", async (context) => {
    const { bytes, value } = context;
    await bytes.put("key", value(0) as Uint8Array);
    const control = new AbortController();
    const source = trackedSource([bytesOf(100_000)], { hangs: true });
    const writing = failure(() => bytes.write("key", source.iterable(), { signal: control.signal }));
    for (let count = 0; count < 20; count++) await turn();
    equal(await bytes.get("key"), value(0), "get while the source goes on");
    control.abort();
    await promptly(context, "An aborted write", writing);
    equal(await bytes.get("key"), value(0), "get after the write was given up");
  }),
  "a write whose source fails changes nothing": needs("streams", async ({ bytes, value, capabilities }) => {
    const broken = new Error("the source broke");
    await bytes.put("key", value(0) as Uint8Array);
    for (const key of ["key", "new"]) {
      for (const form of ["stream", "iterable"] as const) {
        const error = await failure(() => bytes.write(key, trackedSource([bytesOf(70_000)], { fails: broken })[form]()));
        assert.ok(error === broken || causeOf(error) === broken, `The source's error must arrive, got ${describe(error)}.`);
      }
    }
    equal(await bytes.get("key"), value(0), "The value that was there");
    equal(await bytes.has("new"), false, "has of the new key");
    if (capabilities.list !== "none") equal(await keysOf(bytes), ["key"], "The listing");
  }),
  "a write of fewer bytes than it was said to give changes nothing": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    for (const key of ["key", "new"]) {
      await rejects(() => bytes.write(key, trackedSource([bytesOf(10)]).iterable(), { size: 11 }), "invalid-value");
    }
    equal(await bytes.get("key"), value(0), "The value that was there");
    equal(await bytes.has("new"), false, "has of the new key");
  }),
  "a write of more bytes than it was said to give changes nothing": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    for (const key of ["key", "new"]) {
      const source = trackedSource([bytesOf(10), bytesOf(1), bytesOf(1)], { hangs: true });
      await rejects(() => bytes.write(key, source.iterable(), { size: 10 }), "invalid-value");
      assert.ok(source.cancelled, "The source must be cancelled.");
    }
    equal(await bytes.get("key"), value(0), "The value that was there");
    equal(await bytes.has("new"), false, "has of the new key");
  }),
  "a put that is refused changes nothing": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const before = await storage.head("key");
    await rejects(() => storage.put("key", value(1), { ttl: 1, expiresAt: 1 }), "invalid-option");
    await rejects(() => storage.put("key", undefined), "invalid-value");
    equal(await storage.get("key"), value(0));
    equal((await storage.head("key"))?.etag, before?.etag, "The etag");
  },
});

async function repeat(times: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < times; index++) await work(index);
}

function isOneOf(found: unknown, versions: readonly unknown[]): void {
  const known = versions.some((version) => {
    try {
      equal(found, version);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(known, `The value must be one that somebody wrote, got ${describe(found)}.`);
}
