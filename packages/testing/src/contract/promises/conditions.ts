import assert from "node:assert/strict";
import { update } from "../compare-and-set.ts";
import { equal, refuses, rejects } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { contenders, oneWinner } from "../race.ts";
import { trackedSource } from "../sources.ts";
import { beforeTheEnd } from "../time.ts";

export const conditions: readonly ContractPromise[] = section(5, {
  "ifNoneMatch creates an entry where nothing is": needs("create", async ({ storage, value }) => {
    const info = await storage.put("key", value(0), { ifNoneMatch: "*" });
    equal(info.key, "key", "The key");
    equal(await storage.get("key"), value(0));
  }),
  "ifNoneMatch leaves an entry that is there as it is": needs("create", async ({ storage, value }) => {
    const before = await storage.put("key", value(0));
    const error = await rejects(() => storage.put("key", value(1), { ifNoneMatch: "*" }), "precondition-failed");
    equal([error.retryable, error.outcome], [false, "none"], "A condition that failed is settled: [retryable, outcome]");
    equal(await storage.get("key"), value(0));
    equal((await storage.head("key"))?.etag, before.etag, "The etag");
  }),
  "ifNoneMatch creates again after a delete": needs("create", async ({ storage, value }) => {
    await storage.put("key", value(0), { ifNoneMatch: "*" });
    await storage.delete("key");
    await storage.put("key", value(1), { ifNoneMatch: "*" });
    equal(await storage.get("key"), value(1));
  }),
  "ifNoneMatch creates over an entry that expired": needs(["create", "ttl"], async (context) => {
    const { storage, value, advance } = context;
    const { refusal, left } = await beforeTheEnd(context, async (ttl) => {
      await storage.put("key", value(0), { ttl });
      const error: unknown = await storage.put("key", value(1), { ifNoneMatch: "*" }).catch((reason: unknown) => reason);
      return { refusal: error, left: ttl };
    });
    await rejects(() => Promise.reject(refusal), "precondition-failed");
    await advance(left);
    await storage.put("key", value(1), { ifNoneMatch: "*" });
    equal(await storage.get("key"), value(1));
  }),
  "of many who create one key at once, one wins": needs("create", async ({ storage, value }) => {
    for (let round = 0; round < 3; round++) {
      const winner = await oneWinner((index) => storage.put(`key-${round}`, value(index), { ifNoneMatch: "*" }));
      equal(await storage.get(`key-${round}`), value(winner), "The winner's value");
    }
  }),
  "ifMatch replaces the version that it names": needs("replace", async ({ storage, value }) => {
    const first = await storage.put("key", value(0));
    const second = await storage.put("key", value(1), { ifMatch: etagOf(first) });
    equal(await storage.get("key"), value(1));
    await storage.put("key", value(0), { ifMatch: etagOf(second) });
    equal(await storage.get("key"), value(0));
  }),
  "ifMatch refuses another version": needs("replace", async ({ storage, value }) => {
    const first = await storage.put("key", value(0));
    await storage.put("key", value(1));
    const error = await rejects(() => storage.put("key", value(2), { ifMatch: etagOf(first) }), "precondition-failed");
    equal([error.retryable, error.outcome], [false, "none"], "A condition that failed is settled: [retryable, outcome]");
    equal(await storage.get("key"), value(1));
  }),
  "ifMatch refuses what is missing, and makes nothing": needs("replace", async ({ storage, value }) => {
    const first = await storage.put("key", value(0));
    await rejects(() => storage.put("missing", value(1), { ifMatch: etagOf(first) }), "precondition-failed");
    await storage.delete("key");
    await rejects(() => storage.put("key", value(1), { ifMatch: etagOf(first) }), "precondition-failed");
    equal([await storage.has("key"), await storage.has("missing")], [false, false], "has");
  }),
  "ifMatch refuses an entry that expired": needs(["replace", "ttl"], async ({ storage, value, advance }) => {
    const first = await storage.put("key", value(0), { ttl: 100 });
    await advance(100);
    await rejects(() => storage.put("key", value(1), { ifMatch: etagOf(first) }), "precondition-failed");
    equal(await storage.has("key"), false, "has");
  }),
  "an empty ifMatch and a star are versions that nothing has": needs("replace", async ({ storage, value }) => {
    await storage.put("key", value(0));
    for (const ifMatch of ["", "*", '"', "0"]) await rejects(() => storage.put("key", value(1), { ifMatch }), "precondition-failed");
    equal(await storage.get("key"), value(0));
  }),
  "of many who replace one version at once, one wins": needs("replace", async ({ storage, value }) => {
    for (let round = 0; round < 3; round++) {
      const ifMatch = etagOf(await storage.put("key", value(100 + round)));
      const winner = await oneWinner((index) => storage.put("key", value(index), { ifMatch }));
      equal(await storage.get("key"), value(winner), "The winner's value");
    }
  }),
  "a counter that many raise by ifMatch loses no step": needs(["replace", "create", "bytes"], async ({ bytes }) => {
    const raise = async (): Promise<void> => {
      for (let step = 0; step < 3; step++) await update(bytes, "counter", (count) => count + 1);
    };
    await Promise.all(Array.from({ length: contenders / 2 }, raise));
    equal(await update(bytes, "counter", (count) => count), (contenders / 2) * 3, "The counter");
  }),
  "delete with ifMatch removes the version that it names": needs("delete", async ({ storage, value }) => {
    const info = await storage.put("key", value(0));
    equal(await storage.delete("key", { ifMatch: etagOf(info) }), undefined, "What delete gives");
    equal(await storage.has("key"), false, "has");
  }),
  "delete with ifMatch leaves another version": needs("delete", async ({ storage, value }) => {
    const first = await storage.put("key", value(0));
    await storage.put("key", value(1));
    await rejects(() => storage.delete("key", { ifMatch: etagOf(first) }), "precondition-failed");
    await rejects(() => storage.delete("key", { ifMatch: "" }), "precondition-failed");
    equal(await storage.get("key"), value(1));
  }),
  "delete with ifMatch fails where nothing is": needs("delete", async ({ storage, value }) => {
    const info = await storage.put("key", value(0));
    await storage.delete("key");
    await rejects(() => storage.delete("key", { ifMatch: etagOf(info) }), "precondition-failed");
    await rejects(() => storage.delete("missing", { ifMatch: etagOf(info) }), "precondition-failed");
  }),
  "delete with ifMatch fails on an entry that expired": needs(["delete", "ttl"], async ({ storage, value, advance }) => {
    const info = await storage.put("key", value(0), { ttl: 100 });
    await advance(100);
    await rejects(() => storage.delete("key", { ifMatch: etagOf(info) }), "precondition-failed");
  }),
  "of many who delete one version at once, one wins": needs("delete", async ({ storage, value }) => {
    const ifMatch = etagOf(await storage.put("key", value(0)));
    await oneWinner(() => storage.delete("key", { ifMatch }));
    equal(await storage.has("key"), false, "has");
  }),
  "of those who replace and those who delete one version, one wins": needs(["replace", "delete"], async ({ storage, value }) => {
    const ifMatch = etagOf(await storage.put("key", value(100)));
    const winner = await oneWinner((index) =>
      index % 2 === 0 ? storage.put("key", value(index), { ifMatch }) : storage.delete("key", { ifMatch }),
    );
    equal(await storage.get("key"), winner % 2 === 0 ? value(winner) : undefined, "What the winner left");
  }),
  "write with ifNoneMatch creates, and leaves what is there": needs(["streams", "create", "stream"], async ({ bytes }) => {
    await bytes.write("key", new Blob(["first"]), { ifNoneMatch: "*" });
    const source = trackedSource([Uint8Array.of(1)]);
    await rejects(() => bytes.write("key", source.stream(), { ifNoneMatch: "*" }), "precondition-failed");
    equal(await bytes.get("key"), new TextEncoder().encode("first"));
  }),
  "write with ifMatch replaces the version that it names alone": needs(["streams", "replace", "stream"], async ({ bytes }) => {
    const first = await bytes.write("key", new Blob(["first"]));
    await bytes.write("key", new Blob(["second"]), { ifMatch: etagOf(first) });
    await rejects(() => bytes.write("key", new Blob(["third"]), { ifMatch: etagOf(first) }), "precondition-failed");
    await rejects(() => bytes.write("missing", new Blob(["third"]), { ifMatch: etagOf(first) }), "precondition-failed");
    equal(await bytes.get("key"), new TextEncoder().encode("second"));
    equal(await bytes.has("missing"), false, "has");
  }),
  "of many who write one new key at once, one wins": needs(["streams", "create", "stream"], async ({ bytes }) => {
    const winner = await oneWinner((index) => bytes.write("key", new Blob([`writer ${index}`]), { ifNoneMatch: "*" }));
    equal(await bytes.get("key"), new TextEncoder().encode(`writer ${winner}`), "The winner's value");
  }),
  "a condition is decided when a write ends, not when it starts": needs(["streams", "create", "stream"], async (context) => {
    const { bytes } = context;
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield Uint8Array.of(1);
      await gate;
      yield Uint8Array.of(2);
    };
    const writing = bytes.write("key", source(), { ifNoneMatch: "*" });
    const lost = rejects(() => writing, "precondition-failed", "conflict");
    await bytes.put("key", context.value(0) as Uint8Array);
    open();
    await lost;
    equal(await bytes.get("key"), context.value(0));
  }),
  "conditions that contradict each other are refused": needs(["create", "replace"], async (context) => {
    const { storage, value } = context;
    await refuses(context, () => storage.put("key", value(0), { ifMatch: "etag", ifNoneMatch: "*" }), "invalid-option");
    await refuses(context, () => storage.put("key", value(0), { ifNoneMatch: "etag" as "*" }), "invalid-option");
    await refuses(context, () => storage.put("key", value(0), { ifMatch: 1 as unknown as string }), "invalid-option");
    equal(await storage.has("key"), false, "has");
  }),
  "delete refuses an ifMatch that is no text": needs("delete", async (context) => {
    await context.storage.put("key", context.value(0));
    await refuses(context, () => context.storage.delete("key", { ifMatch: 1 as unknown as string }), "invalid-option");
    equal(await context.storage.has("key"), true, "has");
  }),
});

/** The etag of an entry, which a storage that decides conditions by it must tell. */
export function etagOf(info: { readonly etag?: string } | undefined): string {
  assert.ok(typeof info?.etag === "string" && info.etag !== "", "A storage with conditions must tell etags.");
  return info.etag;
}
