import assert from "node:assert/strict";
import { equal, rejects } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect } from "../reading.ts";
import { bytesOf } from "../samples.ts";
import { etagOf } from "./conditions.ts";

export const etags: readonly ContractPromise[] = section(5, {
  "an etag is text, or is not there": async ({ storage, value }) => {
    const info = await storage.put("key", value(0));
    for (const found of [info, await storage.head("key"), await storage.getEntry("key")]) {
      const etag: unknown = found?.etag;
      assert.ok(etag === undefined || (typeof etag === "string" && etag !== ""), "An etag must be a non-empty string.");
    }
  },
  "two writes of different values never share an etag": async ({ storage, value }) => {
    const told: string[] = [];
    for (let index = 0; index < 12; index++) {
      const { etag } = await storage.put("key", value(index % 2));
      const head = await storage.head("key");
      if (etag !== undefined && head?.etag !== undefined) equal(head.etag, etag, "The etag of head");
      if (head?.etag !== undefined) told.push(head.etag);
    }
    for (const [index, etag] of told.entries()) assert.ok(etag !== told[index + 1], "Two versions in a row must not share an etag.");
  },
  "values of one size that are put at one moment never share an etag": needs("bytes", async ({ bytes }) => {
    const told: (string | undefined)[] = [];
    for (let index = 0; index < 50; index++) told.push((await bytes.put("key", bytesOf(64, index + 1))).etag);
    const known = told.filter((etag) => etag !== undefined);
    equal(new Set(known).size, known.length, "The number of different etags");
  }),
  "an entry that comes back after a delete has another etag": needs("bytes", async ({ bytes }) => {
    const first = await bytes.put("key", bytesOf(64, 1));
    await bytes.delete("key");
    const second = await bytes.put("key", bytesOf(64, 2));
    if (first.etag !== undefined) assert.ok(first.etag !== second.etag, "Different bytes must not share an etag.");
  }),
  "an entry that nobody writes keeps its etag": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const before = await storage.head("key");
    await storage.get("key");
    await storage.put("other", value(1));
    await storage.delete("other");
    equal((await storage.head("key"))?.etag, before?.etag);
  },
  "every way to look tells one etag": needs("replace", async ({ storage, value, capabilities }) => {
    const etag = etagOf(await storage.put("key", value(0)));
    equal((await storage.head("key"))?.etag, etag, "The etag of head");
    equal((await storage.getEntry("key"))?.etag, etag, "The etag of getEntry");
    equal((await storage.getEntries(["key"]))[0]?.etag, etag, "The etag of getEntries");
    if (capabilities.list === "none") return;
    const listed = (await storage.list({ info: true })).entries[0]?.etag;
    if (listed !== undefined) equal(listed, etag, "The etag of list");
  }),
  "an etag from any way to look can be a condition": needs("replace", async ({ storage, value }) => {
    await storage.put("key", value(0));
    await storage.put("key", value(1), { ifMatch: etagOf(await storage.head("key")) });
    await storage.put("key", value(0), { ifMatch: etagOf(await storage.getEntry("key")) });
    await storage.put("key", value(1), { ifMatch: etagOf((await storage.getEntries(["key"]))[0]) });
    equal(await storage.get("key"), value(1));
  }),
  "read tells the etag that head tells": needs("streams", async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array);
    const entry = await bytes.read("key");
    equal(entry?.etag, (await bytes.head("key"))?.etag);
    await collect(entry);
  }),
  "write gives the etag that head tells": needs("streams", async ({ bytes }) => {
    const info = await bytes.write("key", new Blob(["text"]));
    const head = await bytes.head("key");
    if (info.etag !== undefined && head?.etag !== undefined) equal(info.etag, head.etag);
  }),
  "an etag of another key is no etag of this one": needs(["replace", "bytes"], async ({ bytes }) => {
    const other = await bytes.put("other", bytesOf(64, 1));
    await bytes.put("key", bytesOf(64, 2));
    await rejects(() => bytes.put("key", bytesOf(64, 3), { ifMatch: etagOf(other) }), "precondition-failed");
  }),
  "modifiedAt is a time, where it is told": async ({ storage, value }) => {
    await storage.put("key", value(0));
    const info = await storage.head("key");
    if (info?.modifiedAt !== undefined)
      assert.ok(Number.isFinite(info.modifiedAt) && info.modifiedAt > 0, "modifiedAt is milliseconds since the epoch.");
  },
});
