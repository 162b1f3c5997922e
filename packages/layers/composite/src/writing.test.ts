import type { Bytes, ByteSource } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { bytes, drive, kept, keysIn, over, setup, text } from "./testing/replicas.ts";
import { without } from "./testing/weaker.ts";

let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock();
});

describe("a put", () => {
  test("goes to every replica with one version, which callers see as the etag and never as metadata", async () => {
    const { storage, mocks } = setup(clock, 3);
    const info = await storage.put("a", bytes("1"), { metadata: { author: "Ada" } });
    expect(info.metadata).toEqual({ author: "Ada" });
    for (const mock of mocks) expect((await mock.head("a"))?.metadata).toEqual({ author: "Ada", "stowage-version": info.etag });
    expect(await storage.head("a")).toMatchObject({ etag: info.etag, metadata: { author: "Ada" } });
    expect((await storage.getEntry("a"))?.metadata).toEqual({ author: "Ada" });
    expect((await storage.list({ info: true })).entries[0]).toMatchObject({ etag: info.etag, metadata: { author: "Ada" } });
  });

  test("that reaches fewer replicas than asked for rejects with partial and what became of each, and may be visible", async () => {
    const { storage, mocks } = setup(clock, 3);
    mocks[1]?.on("put", "a").fails("unavailable");
    mocks[2]?.on("put", "a").loses("timeout");
    const error = (await storage.put("a", bytes("1")).catch((reason: unknown) => reason)) as StorageError;
    expect(error).toMatchObject({ code: "partial", outcome: "unknown", retryable: true, operation: "put", key: "a" });
    expect(error.message).toBe(
      'The put reached 1 of 3 replicas, and 3 are needed: "r1" failed with unavailable, "r2" failed with timeout.',
    );
    expect(error.failures?.map(({ index, error: each }) => [index, (each as StorageError).code])).toEqual([
      [1, "unavailable"],
      [2, "timeout"],
    ]);
    expect(text(await storage.get("a"))).toBe("1");
    expect(storage.stats().partial).toBe(1);
  });

  test("that no replica was reached by has no outcome to be unsure of", async () => {
    const { storage, mocks } = setup(clock, 2);
    for (const mock of mocks) mock.on("put").fails("unavailable");
    await expect(storage.put("a", bytes("1"))).rejects.toMatchObject({ code: "partial", outcome: "none" });
  });

  test("that every replica refuses for one reason rejects with that reason", async () => {
    const { storage, mocks } = setup(clock, 2);
    for (const mock of mocks) mock.on("put").fails("too-large");
    await expect(storage.put("a", bytes("1"))).rejects.toMatchObject({ code: "too-large" });
  });

  test("by a quorum is acknowledged while another replica hangs, which flush then waits for", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 }, timeout: 1_000 });
    mocks[0]?.on("put").hangs({ times: 1 });
    await storage.put("a", bytes("1"));
    expect(await Promise.all(mocks.map((mock) => kept(mock, "a")))).toEqual([undefined, "1", "1"]);
    const flushed = storage.flush();
    expect(clock.pending).toBeGreaterThan(0);
    await drive(flushed, clock);
    expect(storage.stats().replicas[0]).toMatchObject({ timeouts: 1, failures: 1 });
  });

  test("keeps its value although the caller changes it once it is acknowledged and a replica is late", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    mocks[0]?.on("put").delays(500);
    const value = bytes("1");
    await storage.put("a", value);
    value.fill(0);
    await drive(storage.flush(), clock);
    expect(await kept(mocks[0]!, "a")).toBe("1");
  });

  test("is not ended on late replicas by an abort after it was acknowledged", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    mocks[0]?.on("put").delays(500);
    const control = new AbortController();
    await storage.put("a", bytes("1"), { signal: control.signal });
    control.abort();
    await drive(storage.flush(), clock);
    expect(await kept(mocks[0]!, "a")).toBe("1");
  });

  test("is newer than what a writer with a faster clock wrote, because it asks first", async () => {
    const replicas = [memoryStorage({ clock }), memoryStorage({ clock })];
    const ahead = new VirtualClock(clock.now() + 3_600_000);
    await over(replicas, ahead).put("a", bytes("ahead"));
    const mine = over(replicas, clock);
    await mine.put("a", bytes("mine"));
    expect(text(await mine.get("a"))).toBe("mine");
    await over(replicas, ahead).delete("a");
    await mine.put("a", bytes("again"));
    await drive(mine.repair(), clock);
    expect(await Promise.all(replicas.map((replica) => kept(replica, "a")))).toEqual(["again", "again"]);
  });

  test("of the only writer asks nobody", async () => {
    const { storage, mocks } = setup(clock, 2, { singleWriter: true });
    await storage.put("a", bytes("1"));
    for (const mock of mocks) mock.expectCalls(["put", "a"]);
  });

  test("that cannot ask enough replicas for the newest version writes nothing", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    mocks[0]?.on("head").fails("unavailable");
    mocks[1]?.on("head").fails("unavailable");
    await expect(storage.put("a", bytes("1"))).rejects.toMatchObject({ code: "partial", outcome: "none" });
    for (const mock of mocks) mock.expectNoCall("put");
  });

  test("that is overtaken by a newer value tells nothing of that one", async () => {
    const { storage, mocks } = setup(clock, 1);
    const other = over(mocks, clock);
    mocks[0]?.on("put", "a").answers(
      async () => {
        clock.jump(1);
        await other.put("a", bytes("newer and longer"), { metadata: { author: "Eve" } });
        throw new StorageError("precondition-failed", "There is something.");
      },
      { times: 1 },
    );
    const { etag, ...info } = await storage.put("a", bytes("1"), { metadata: { author: "Ada" } });
    expect(info).toEqual({ key: "a", metadata: { author: "Ada" } });
    expect(etag).toBeDefined();
    expect(await storage.head("a")).toMatchObject({ size: 16, metadata: { author: "Eve" } });
    expect((await storage.head("a"))?.etag).not.toBe(etag);
  });

  test("that is delivered twice tells of what it wrote", async () => {
    const { storage, mocks } = setup(clock, 1);
    mocks[0]?.on("put", "a").repeats({ times: 1 });
    expect(await storage.put("a", bytes("1"))).toMatchObject({ key: "a", size: 1 });
  });

  test("lands on no newer value, also when it arrives late", async () => {
    const { storage, mocks } = setup(clock, 1, { timeout: 100 });
    const replica = mocks[0]!;
    let arrive = (): void => {};
    const late = new Promise<void>((resolve) => (arrive = resolve));
    const slow = { ...lateOnce(replica, late) };
    const other = over([slow.storage], clock, { timeout: 100 });
    const first = other.put("a", bytes("old"));
    await expect(drive(first, clock)).rejects.toMatchObject({ code: "partial", outcome: "unknown" });
    await storage.put("a", bytes("new"));
    arrive();
    await slow.arrived;
    expect(await kept(replica, "a")).toBe("new");
  });
});

describe("flush", () => {
  test("returns although others go on writing", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    for (const [index, mock] of mocks.entries()) mock.on("put").delays(3 + 2 * index);
    const enough = new AbortController();
    const writers = ["a", "b", "c", "d"].map(async (key, index) => {
      await clock.sleep(index);
      while (!enough.signal.aborted) await storage.put(key, bytes("1"));
    });
    await clock.advance(50);
    await drive(storage.flush(), clock);
    enough.abort();
    await drive(Promise.all(writers), clock);
  });

  test("does not wait for an upload that nobody has acknowledged", async () => {
    const { storage, mocks } = setup(clock, 2);
    const control = new AbortController();
    const upload = storage.write("a", new ReadableStream(), { signal: control.signal });
    await expect.poll(() => mocks.every((mock) => mock.callsTo("write").length === 1)).toBe(true);
    await storage.flush();
    control.abort("enough");
    await expect(upload).rejects.toBe("enough");
  });

  test.each(["put", "flush"] as const)("is ended by its signal while a replica hangs in %s", async (operation) => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    for (const mock of operation === "put" ? mocks.slice(2) : mocks) mock.on(operation).answers(() => new Promise(() => {}));
    await storage.put("a", bytes("1"));
    const control = new AbortController();
    const flushed = storage.flush({ signal: control.signal });
    const reason = { because: "enough" };
    control.abort(reason);
    await expect(flushed).rejects.toBe(reason);
  });
});

test("close waits for a write that goes on after it was aborted", async () => {
  const { storage, mocks } = setup(clock, 1);
  let arrive = (): void => {};
  const late = new Promise<void>((resolve) => (arrive = resolve));
  mocks[0]?.on("put", "a").answers(() => late.then(() => ({ key: "a" })));
  const control = new AbortController();
  const written = storage.put("a", bytes("1"), { signal: control.signal });
  await expect.poll(() => mocks[0]?.callsTo("put")).toHaveLength(1);
  control.abort("enough");
  await expect(written).rejects.toBe("enough");
  const closing = storage.close();
  await expect.poll(() => clock.pending).toBeGreaterThan(1); // it waits
  mocks[0]?.expectNoCall("close");
  arrive();
  await closing;
  mocks[0]?.expectCall("close", undefined, 1);
});

describe("on a replica without conditions", () => {
  test.each([{ singleWriter: false }, { singleWriter: true }])("writes of one key land in their order, %j", async ({ singleWriter }) => {
    const { mocks } = setup(clock, 2);
    const storage = over([mocks[0]!, without({ conditions: [] }, mocks[1])], clock, { write: { quorum: 1 }, singleWriter });
    mocks[1]?.on("put", "a").delays(300, { times: 1 });
    await storage.put("a", bytes("old"));
    await storage.put("a", bytes("new"));
    await drive(storage.flush(), clock);
    expect(mocks[1]?.callsTo("put", "a").map(({ value }) => text(value as Bytes))).toEqual(["old", "new"]);
    expect(await kept(mocks[1]!, "a")).toBe("new");
  });

  test("nothing is sent behind a write that was given up and may still arrive", async () => {
    const { mocks } = setup(clock, 2);
    const storage = over([mocks[0]!, without({ conditions: [] }, mocks[1])], clock, { write: { quorum: 1 }, timeout: 1_000 });
    mocks[1]?.on("put", "a").answers(() => new Promise(() => {}), { times: 1 });
    await storage.put("a", bytes("old"));
    await clock.advance(1_200);
    await storage.put("a", bytes("new"));
    await drive(storage.flush(), clock);
    expect(mocks[1]?.callsTo("put", "a")).toHaveLength(1);
    expect(text(await storage.get("a"))).toBe("new");
    await storage.put("b", bytes("other"));
    await storage.flush();
    expect(await kept(mocks[1]!, "b")).toBe("other");
  });
});

describe("names that are taken", () => {
  test("keys of tombstones are refused, and never listed", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.put("a", bytes("1"));
    await storage.delete("a");
    expect(await keysIn(mocks[0]!)).toEqual({ keys: [], tombstones: 1 });
    expect(await storage.list()).toEqual({ entries: [], prefixes: [] });
    expect(await storage.list({ delimiter: "/" })).toEqual({ entries: [], prefixes: [] });
    expect(await storage.list({ delimiter: "-" })).toEqual({ entries: [], prefixes: [] });
    expect(await storage.list({ prefix: "stowage-deleted/" })).toEqual({ entries: [], prefixes: [] });
    const key = "stowage-deleted/x";
    for (const call of [
      () => storage.get(key),
      () => storage.getEntry(key),
      () => storage.getEntries([key]),
      () => storage.head(key),
      () => storage.has(key),
      () => storage.put(key, bytes("1")),
      () => storage.delete(key),
      () => storage.read(key),
      () => storage.write(key, new Blob(["1"])),
    ])
      await expect(call()).rejects.toMatchObject({ code: "invalid-key" });
    await expect(storage.batch([{ type: "put", key, value: bytes("1") }])).rejects.toMatchObject({ code: "partial" });
  });

  test("a prefix that tombstones share with other keys is listed for those alone", async () => {
    const { storage } = setup(clock, 2);
    await storage.put("a", bytes("1"));
    await storage.delete("a");
    await storage.put("stowage-files", bytes("1"));
    await storage.put("z", bytes("1"));
    expect(await storage.list({ delimiter: "-" })).toEqual({ entries: [{ key: "z" }], prefixes: ["stowage-"] });
    expect((await storage.list({ limit: 1 })).entries).toEqual([{ key: "stowage-files" }]);
  });

  test("the metadata of the version is refused", async () => {
    const { storage } = setup(clock, 2);
    await expect(storage.put("a", bytes("1"), { metadata: { "stowage-version": "1" } })).rejects.toMatchObject({ code: "invalid-option" });
  });

  test("a key that one replica cannot hold is refused before another holds it", async () => {
    const { storage, mocks } = setup(clock, 2);
    const choosy = without({ anyKey: false }, mocks[1]);
    mocks[1]?.on("head", "Große").fails("invalid-key");
    const mixed = over([mocks[0]!, choosy], clock);
    await expect(mixed.put("Große", bytes("1"))).rejects.toMatchObject({ code: "invalid-key" });
    mocks[0]?.expectNoCall("put");
    await storage.close();
  });
});

describe("a delete", () => {
  test("puts its tombstone before it deletes the value", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.put("a", bytes("1"));
    mocks[0]?.on("delete").fails("unavailable", { times: 1 });
    await expect(storage.delete("a")).rejects.toMatchObject({ code: "partial", outcome: "unknown" });
    expect(await keysIn(mocks[0]!)).toEqual({ keys: ["a"], tombstones: 1 });
    const tombstone = mocks[1]!.callsTo("put").at(-1)!;
    const removal = mocks[1]!.callsTo("delete")[0]!;
    expect(mocks[1]!.calls.indexOf(tombstone)).toBeLessThan(mocks[1]!.calls.indexOf(removal));
  });

  test("of what no replica has leaves nothing behind", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.delete("a");
    for (const mock of mocks) expect(await keysIn(mock)).toEqual({ keys: [], tombstones: 0 });
  });

  test("that reached its quorum is missing for every read quorum, and is not undone by repair", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 }, read: { quorum: 2 } });
    await storage.put("a", bytes("1"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.delete("a");
    await storage.flush();
    expect(await kept(mocks[0]!, "a")).toBe("1");
    expect(await storage.get("a")).toBeUndefined();
    expect(await storage.has("a")).toBe(false);
    expect(await storage.read("a")).toBeUndefined();
    expect(await drive(storage.repair(), clock)).toMatchObject({ complete: true, deleted: 1, copied: 1 });
    expect(await kept(mocks[0]!, "a")).toBeUndefined();
  });
});

describe("an entry that expires", () => {
  test("does not give way to the older one that a replica still has", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 }, read: { quorum: 2 } });
    await storage.put("a", bytes("old"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("short"), { ttl: 1_000 });
    await storage.flush();
    await clock.advance(1_000);
    expect(await kept(mocks[0]!, "a")).toBe("old");
    expect(await storage.get("a")).toBeUndefined();
    await drive(storage.repair(), clock);
    expect(await kept(mocks[0]!, "a")).toBeUndefined();
  });
});

describe("a streamed write", () => {
  const source = (chunks: number, size = 1_000): (() => AsyncGenerator<Bytes, void, void>) =>
    async function* () {
      for (let index = 0; index < chunks; index++) yield new Uint8Array(size).fill(index);
    };

  test("goes to every replica, read from its source once", async () => {
    const { storage, mocks } = setup(clock, 3);
    let opened = 0;
    await storage.write("a", () => {
      opened++;
      return source(5)();
    });
    expect(opened).toBe(1);
    for (const mock of mocks) expect((await mock.get("a"))?.byteLength).toBe(5_000);
  });

  test("that a replica takes no chunk of goes on without it, and is acknowledged by the quorum of the others", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 }, timeout: 1_000 });
    mocks[0]?.on("write").hangs();
    const info = await drive(storage.write("a", source(50)), clock);
    expect(info.size).toBe(50_000);
    expect(await mocks[0]!.has("a")).toBe(false);
    for (const mock of mocks.slice(1)) expect((await mock.get("a"))?.byteLength).toBe(50_000);
  });

  test("is taken at the pace of the slowest replica, and is not held in between", async () => {
    const [fast, slow] = [memoryStorage({ clock }), without({}, memoryStorage({ clock }))];
    let given = 0;
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const write = slow.write.bind(slow);
    const slowly = async function* (input: ByteSource): AsyncGenerator<Bytes, void, void> {
      for await (const chunk of input as AsyncIterable<Bytes>) {
        await gate;
        yield chunk;
      }
    };
    Reflect.set(slow, "write", (...[key, input, options]: Parameters<typeof write>) => write(key, slowly(input), options));
    const written = over([fast, slow], clock).write("a", async function* () {
      for (; given < 100; given++) yield new Uint8Array(10);
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBeLessThan(4);
    release();
    await written;
    expect((await fast.get("a"))?.byteLength).toBe(1_000);
  });

  test("whose source fails stores nothing anywhere and rejects with the error of the source", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    const broken = new Error("the source broke");
    await expect(
      storage.write("a", async function* () {
        yield bytes("1");
        throw broken;
      }),
    ).rejects.toBe(broken);
    for (const mock of mocks) expect(await mock.has("a")).toBe(false);
  });

  test("that too few replicas take is given up everywhere, and its source is let go", async () => {
    const { storage, mocks } = setup(clock, 2);
    mocks[0]?.on("write").fails("unavailable");
    let isOver = false;
    const endless = async function* (): AsyncGenerator<Bytes, void, void> {
      try {
        for (;;) yield bytes("x");
      } finally {
        isOver = true;
      }
    };
    await expect(storage.write("a", endless)).rejects.toMatchObject({ code: "partial" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(true);
    expect(await mocks[1]!.has("a")).toBe(false);
  });

  test("whose source is slow is nobody's failure", async () => {
    const { storage } = setup(clock, 2, { timeout: 1_000 });
    const written = storage.write("a", async function* () {
      yield bytes("1");
      await clock.sleep(60_000);
      yield bytes("2");
    });
    await drive(written, clock);
    expect(text(await storage.get("a"))).toBe("12");
  });
});

/** A storage whose first put arrives only after it was let through, although it was given up. */
function lateOnce(replica: ReturnType<typeof setup>["mocks"][number], late: Promise<void>) {
  let told = (): void => {};
  const arrived = new Promise<void>((resolve) => (told = resolve));
  const storage = without({}, replica);
  const put = storage.put.bind(storage);
  let first = true;
  Reflect.set(storage, "put", (...[key, value, options]: Parameters<typeof put>) => {
    if (!first) return put(key, value, options);
    first = false;
    const { signal: _signal, ...rest } = options ?? {};
    return late.then(() => put(key, value, rest).finally(told));
  });
  return { storage, arrived };
}
