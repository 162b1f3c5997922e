import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bytes, ByteSource, ByteStorage, EntryInfo } from "@stowage/core";
import { borrowed, stack, StorageError } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { expect, onTestFinished, test } from "vitest";
import { envelope } from "./envelope.ts";
import { Below, bytesOf, chunksOf, codeOf, text } from "./testing/samples.ts";

const setUp = () => {
  const clock = new VirtualClock();
  const below = new Below(memoryStorage({ clock }), { streams: "native" });
  return { clock, below, storage: envelope({ clock })(below) };
};

/** Ways to create an entry. */
const creators: Record<string, (storage: ByteStorage, value: Bytes, clock: VirtualClock) => Promise<unknown>> = {
  put: (storage, value) => storage.put("a", value, { ifNoneMatch: "*" }),
  "write of a Blob": (storage, value) => storage.write("a", new Blob([value]), { ifNoneMatch: "*" }),
  "write of a generator": (storage, value) => storage.write("a", chunksOf(value), { ifNoneMatch: "*" }),
  "an atomic batch": (storage, value) => storage.batch([{ type: "put", key: "a", value, options: { ifNoneMatch: "*" } }], { atomic: true }),
};

for (const [name, create] of Object.entries(creators)) {
  test(`of 16 who create over an expired entry by ${name}, one wins, and the others are told so`, async () => {
    const { clock, storage } = setUp();
    for (let round = 0; round < 5; round++) {
      await storage.put("a", text("expired"), { ttl: 1 });
      await clock.advance(1);
      const codes = await Promise.all(Array.from({ length: 16 }, (_, index) => codeOf(create(storage, text(`writer ${index}`), clock))));
      expect(codes.filter((code) => code === undefined)).toHaveLength(1);
      for (const code of codes) expect([undefined, "precondition-failed", "conflict"]).toContain(code);
      expect(await storage.get("a")).toEqual(text(`writer ${codes.indexOf(undefined)}`));
    }
  });

  test(`whoever creates by ${name} while an expired entry is replaced loses to the newer one`, async () => {
    const { clock, below, storage } = setUp();
    await storage.put("a", text("expired"), { ttl: 1 });
    await clock.advance(1);
    below.before.set("read", async () => {
      await envelope({ clock })(below).put("a", text("newer")); // between the refusal and the look, or before all
    });
    expect(["precondition-failed", "conflict"]).toContain(await codeOf(create(storage, text("late"), clock)));
    expect(await storage.get("a")).toEqual(text("newer"));
  });

  test(`close waits for who creates by ${name} over an expired entry, and refuses none of the calls that this takes`, async () => {
    const clock = new VirtualClock();
    const memory = memoryStorage({ clock });
    const below = new Below(memory, { streams: "native" });
    const storage = stack(below, borrowed(), envelope({ clock }));
    await storage.put("a", text("expired"), { ttl: 1 });
    await clock.advance(1);
    const order: string[] = [];
    let closing: Promise<unknown> | undefined;
    below.before.set("read", async () => {
      closing = storage.close().then(() => order.push("closed"));
    });
    expect(await codeOf(create(storage, text("new"), clock).then(() => order.push("created")))).toBeUndefined();
    await closing;
    expect(order).toEqual(["created", "closed"]);
    expect(await codeOf(create(storage, text("late"), clock))).toBe("closed");
    expect(await envelope({ clock })(memory).get("a")).toEqual(text("new"));
  });

  test(`whoever creates by ${name} does not lose to a sweep of the expired entry`, async () => {
    const { clock, below, storage } = setUp();
    await storage.put("a", text("expired"), { ttl: 1 });
    await clock.advance(1);
    below.before.set("read", () => below.delete("a"));
    expect(await codeOf(create(storage, text("created"), clock))).toBeUndefined();
    expect(await storage.get("a")).toEqual(text("created"));
  });
}

test("of 16 who create over an expired entry in one folder, through two storages, one wins", async () => {
  const clock = new VirtualClock();
  const directory = await mkdtemp(join(tmpdir(), "stowage-envelope-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const storages = [0, 1].map(() => stack(fileStorage({ directory, durability: "process" }), envelope({ clock })));
  for (let round = 0; round < 5; round++) {
    await storages[0]!.put("a", text("expired"), { ttl: 1 });
    await clock.advance(1);
    const codes = await Promise.all(
      Array.from({ length: 16 }, (_, index) => codeOf(storages[index % 2]!.put("a", text(`writer ${index}`), { ifNoneMatch: "*" }))),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(await storages[1]!.get("a")).toEqual(text(`writer ${codes.indexOf(undefined)}`));
  }
  for (const storage of storages) await storage.close();
});

test("a common create is one call below", async () => {
  const { below, storage } = setUp();
  await storage.put("a", text("new"), { ifNoneMatch: "*" });
  expect(below.log).toEqual(["put a if new"]);
  await storage.put("b", text("old"));
  below.log.length = 0;
  expect(await codeOf(storage.put("b", text("new"), { ifNoneMatch: "*" }))).toBe("precondition-failed");
  expect(below.log).toEqual(["put b if new", "read b 0..4096"]);
});

test("conditions on a version that has expired are refused without a look below", async () => {
  const { clock, below, storage } = setUp();
  const { etag } = await storage.put("a", text("short"), { ttl: 10 });
  expect((await storage.head("a"))?.etag).toBe(etag);
  await clock.advance(10);
  below.log.length = 0;
  const calls: (() => Promise<unknown>)[] = [
    () => storage.put("a", text("x"), { ifMatch: etag }),
    () => storage.write("a", new Blob(["x"]), { ifMatch: etag }),
    () => storage.delete("a", { ifMatch: etag }),
    () => storage.read("a", { ifMatch: etag }),
    () => storage.batch([{ type: "put", key: "a", value: text("x"), options: { ifMatch: etag } }], { atomic: true }),
    () => storage.batch([{ type: "delete", key: "a", options: { ifMatch: etag } }], { atomic: true }),
  ];
  for (const call of calls) expect(await codeOf(call())).toBe("precondition-failed");
  expect(below.log).toEqual([]);
});

test("conditions on a version that lives are one call below, with its etag there", async () => {
  const { below, storage } = setUp();
  for (const options of [{ ttl: 1_000 }, {}]) {
    let { etag } = await storage.put("a", text("one"), options);
    below.log.length = 0;
    ({ etag } = await storage.put("a", text("two"), { ...options, ifMatch: etag }));
    await storage.batch([{ type: "put", key: "a", value: text("three"), options: { ...options, ifMatch: etag } }], { atomic: true });
    await storage.delete("a", { ifMatch: (await storage.head("a"))?.etag });
    expect(below.log).toEqual(["put a if match", "read a 0..4096", "delete a if match"]);
    expect(await storage.has("a")).toBe(false);
  }
});

test("a creation whose entry changes again and again ends in a conflict", async () => {
  const { clock, below, storage } = setUp();
  const other = envelope({ clock })(below);
  await other.put("a", text("expired"), { ttl: 1 });
  await clock.advance(1);
  const again = async (): Promise<void> => {
    below.before.set("put", again);
    await below.inner[0]!.put("a", await encoded(text("expired too")));
  };
  below.before.set("put", again);
  expect(await codeOf(storage.put("a", text("x"), { ifNoneMatch: "*" }))).toBe("conflict");
});

test("a creation whose answer is lost is not sent again", async () => {
  const { clock } = setUp();
  let sent = 0;
  class Losing extends Below {
    override put(): Promise<EntryInfo> {
      sent++;
      return Promise.reject(new StorageError("timeout", "Nobody knows.", { outcome: "unknown" }));
    }
  }
  const storage = envelope({ clock })(new Losing(memoryStorage({ clock })));
  expect(await codeOf(storage.put("a", text("x"), { ifNoneMatch: "*" }))).toBe("timeout");
  expect(sent).toBe(1);
});

test("a stream that may not be created is given up, also where the look at what is there fails", async () => {
  const { below, storage } = setUp();
  await storage.put("a", text("there"));
  for (const prepare of [() => {}, () => below.before.set("read", () => Promise.reject(new StorageError("denied", "No.")))]) {
    prepare();
    let cancelled = false;
    const source: ByteSource = new ReadableStream<Bytes>({
      cancel: () => {
        cancelled = true;
      },
    });
    expect(["denied", "precondition-failed"]).toContain(await codeOf(storage.write("a", source, { ifNoneMatch: "*" })));
    await Promise.resolve();
    expect(cancelled).toBe(true);
  }
  expect(await storage.get("a")).toEqual(text("there"));
});

test("an atomic batch whose other condition fails is refused, and does nothing", async () => {
  const { below, storage } = setUp();
  await storage.put("there", text("x"));
  below.log.length = 0;
  const refused = storage.batch(
    [
      { type: "put", key: "new", value: bytesOf(1), options: { ifNoneMatch: "*" } },
      { type: "delete", key: "there", options: { ifMatch: "other" } },
    ],
    { atomic: true },
  );
  expect(await codeOf(refused)).toBe("precondition-failed");
  expect(below.log).toEqual(["read new 0..4096"]);
  expect([await storage.has("new"), await storage.has("there")]).toEqual([false, true]);
});

test("in an atomic batch what the batch itself left is no expired entry", async () => {
  const { clock, storage } = setUp();
  await storage.put("expired", text("x"), { ttl: 1 });
  await storage.put("gone", text("x"));
  await clock.advance(1);
  await storage.batch(
    [
      { type: "delete", key: "gone" },
      { type: "put", key: "gone", value: bytesOf(1), options: { ifNoneMatch: "*" } },
      { type: "put", key: "expired", value: bytesOf(2), options: { ifNoneMatch: "*", metadata: { name: "text" } } },
    ],
    { atomic: true },
  );
  expect([await storage.get("gone"), await storage.get("expired")]).toEqual([bytesOf(1), bytesOf(2)]);
  expect((await storage.head("expired"))?.metadata).toEqual({ name: "text" });
});

/** A value in an envelope that has expired. */
async function encoded(value: Bytes): Promise<Bytes> {
  const memory = memoryStorage();
  await envelope({ clock: new VirtualClock(1) })(memory).put("a", value, { ttl: 1 });
  return (await memory.get("a"))!;
}

test("close waits for the second half of a write whose expiry is past, and of a list that looks under its prefixes", async () => {
  for (const [moment, call] of [
    ["delete", (storage: ByteStorage) => storage.put("dead/a", text("x"), { expiresAt: 1, ifNoneMatch: "*" })],
    ["delete", (storage: ByteStorage) => storage.write("dead/a", new Blob(["x"]), { expiresAt: 1 })],
    ["read", (storage: ByteStorage) => storage.list({ delimiter: "/", info: true })],
  ] as const) {
    const clock = new VirtualClock();
    const memory = memoryStorage({ clock });
    const below = new Below(memory, { streams: "native" });
    const storage = envelope({ clock })(below);
    if (moment === "read") await storage.put("dead/a", text("x"), { ttl: 1 });
    await clock.advance(1);
    const order: string[] = [];
    let closing: Promise<unknown> | undefined;
    below.before.set(moment, async () => {
      closing = storage.close().then(() => order.push("closed"));
      order.push(`at the ${moment}`);
    });
    await call(storage).then(() => order.push("answered"));
    await closing;
    expect(order).toEqual([`at the ${moment}`, "answered", "closed"]);
  }
});

test("a write into an envelope that is closed cancels its source", async () => {
  for (const options of [{}, { ifNoneMatch: "*" as const }]) {
    const { storage } = setUp();
    await storage.close();
    let cancelled = false;
    const source: ByteSource = new ReadableStream<Bytes>({
      cancel: () => {
        cancelled = true;
      },
    });
    expect(await codeOf(storage.write("a", source, options))).toBe("closed");
    expect(cancelled).toBe(true);
  }
});
