import type { Bytes, ByteSource, ByteStorage, ListOptions } from "@stowage/core";
import { stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import type { RepairReport } from "./index.ts";
import { bytes, drive, kept, keysIn, over, setup, text } from "./testing/replicas.ts";
import { without } from "./testing/weaker.ts";

const day = 24 * 60 * 60 * 1000;
let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock();
});

describe("repair", () => {
  test("copies the newest of each key to every replica, with metadata and expiry, and reports it", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    await storage.put("a", bytes("old"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("new"), { metadata: { author: "Ada" }, expiresAt: clock.now() + 5_000 });
    await storage.flush();
    const report = await drive(storage.repair(), clock);
    expect(report).toMatchObject({ checked: 2, copied: 2, deleted: 0, failed: 0, unreachable: [], complete: true });
    const entries = await Promise.all(mocks.map((mock) => mock.getEntry("a")));
    for (const entry of entries) expect(text(entry?.value)).toBe("new");
    expect(new Set(entries.map((entry) => JSON.stringify([entry?.metadata, entry?.expiresAt]))).size).toBe(1);
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 0, deleted: 0, complete: true });
  });

  test("copies large values as streams", async () => {
    const replicas = [memoryStorage({ clock }), memoryStorage({ clock })];
    const storage = over(replicas, clock);
    const large = new Uint8Array(1_000_000).fill(7);
    await storage.put("a", large);
    await replicas[0]?.delete("a");
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 1, complete: true });
    expect(await replicas[0]?.get("a")).toEqual(large);
  });

  test("goes on copying a stream although another call that began with it runs out of time", async () => {
    const { mocks } = setup(clock, 2);
    const slow = without({}, mocks[1]);
    const write = slow.write.bind(slow);
    const slowly = async function* (input: ByteSource): AsyncGenerator<Bytes, void, void> {
      for await (const chunk of input as AsyncIterable<Bytes>) {
        await clock.sleep(300);
        yield chunk;
      }
    };
    Reflect.set(slow, "write", (...[key, input, options]: Parameters<typeof write>) => write(key, slowly(input), options));
    const storage = over([mocks[0]!, slow], clock, { timeout: 1_000 });
    await mocks[0]?.put("a", new Uint8Array(1_000_000));
    mocks[0]?.on("get", "other").hangs();
    const other = storage.get("other");
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 2, complete: true });
    expect(await other).toBeUndefined();
    expect(storage.stats().replicas[0]).toMatchObject({ timeouts: 1 });
    expect((await slow.get("a"))?.byteLength).toBe(1_000_000);
  });

  test("takes a value without a version for the oldest, the first replica's where there are several, and gives it one", async () => {
    const replicas = [memoryStorage({ clock }), memoryStorage({ clock })];
    await replicas[0]?.put("both", bytes("first"));
    await replicas[1]?.put("both", bytes("second"));
    await replicas[1]?.put("newer", bytes("before"));
    await over([replicas[0]!], clock).put("newer", bytes("versioned"));
    const storage = over(replicas, clock);
    await drive(storage.repair(), clock);
    for (const replica of replicas) {
      expect(await kept(replica, "both")).toBe("first");
      expect(await kept(replica, "newer")).toBe("versioned");
      expect((await replica.head("both"))?.metadata?.["stowage-version"]).toMatch(/^0{12}-0000-/);
    }
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 0, complete: true });
  });

  test("keeps a value that is newer than a delete, and removes one that is older", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    await storage.put("back", bytes("1"));
    await storage.delete("back");
    await storage.put("back", bytes("2"));
    await storage.put("gone", bytes("1"));
    await storage.flush();
    mocks[2]?.on("put").fails("unavailable", { times: 1 });
    await storage.delete("gone");
    await storage.flush();
    expect(await drive(storage.repair(), clock)).toMatchObject({ deleted: 1, complete: true });
    for (const mock of mocks) {
      expect(await kept(mock, "back")).toBe("2");
      expect(await mock.has("gone")).toBe(false);
    }
  });

  test("replaces what a replica cannot read any more, and reports it where nobody else has it", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.put("a", bytes("1"));
    await storage.put("b", bytes("1"));
    mocks[0]?.on("head", "a").fails("corrupt", { times: 1 });
    await mocks[0]?.put("a", bytes("rubbish"));
    await mocks[1]?.delete("b");
    mocks[0]?.on("head", "b").fails("corrupt", { times: 1 });
    const report = await drive(storage.repair(), clock);
    expect(report).toMatchObject({ failed: 1, complete: false, error: { code: "corrupt" } });
    expect(await kept(mocks[0]!, "a")).toBe("1");
    expect(await kept(mocks[0]!, "b")).toBe("1");
  });

  test("brings those together that can be reached, and says who could not", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("1"));
    await storage.flush();
    mocks[2]?.on("any").fails("unavailable");
    const report = await drive(storage.repair(), clock);
    expect(report).toMatchObject({ copied: 1, failed: 1, unreachable: ["r2"], complete: false });
    expect(await kept(mocks[0]!, "a")).toBe("1");
  });

  test("does not put an older value over one that came meanwhile", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.put("a", bytes("old"));
    await mocks[0]?.delete("a");
    const other = over(mocks, clock);
    mocks[1]?.on("getEntry", "a").answers(
      async () => {
        const entry = await mocks[1]!.getEntry("a");
        await other.put("a", bytes("new"));
        return entry;
      },
      { times: 1 },
    );
    await drive(storage.repair(), clock);
    for (const mock of mocks) expect(await kept(mock, "a")).toBe("new");
  });

  test("looks at no more keys in a second than its rate, in bounded steps", async () => {
    const { storage } = setup(clock, 2);
    for (let index = 0; index < 100; index++) await storage.put(`k${index}`, bytes("1"));
    const before = clock.now();
    const checked: number[] = [];
    await drive(storage.repair({ rate: 10, onProgress: (report) => checked.push(report.checked) }), clock);
    expect(clock.now() - before).toBeGreaterThanOrEqual(9_900);
    expect(checked.at(-1)).toBe(100);
    expect(checked.length).toBeGreaterThan(5);
  });

  test("holds a page of each replica and no more, however many keys there are", async () => {
    const { storage, mocks } = setup(clock, 2);
    for (let index = 0; index < 450; index++) await storage.put(`k${index}`, bytes("1"));
    const report = await drive(storage.repair({ rate: 1e6 }), clock);
    expect(report).toMatchObject({ checked: 450, copied: 0, complete: true });
    for (const mock of mocks) {
      const lists = mock.callsTo("list");
      expect(lists.map(({ options }) => (options as ListOptions).limit)).toEqual([200, 200, 200]);
    }
  });

  test("that is aborted rejects with the reason, and another goes on where it ended", async () => {
    const { storage, mocks } = setup(clock, 2);
    const names = Array.from({ length: 50 }, (_, index) => `k${String(index).padStart(2, "0")}`);
    for (const name of names) await storage.put(name, bytes(name));
    await mocks[1]?.clear();
    const control = new AbortController();
    let last: RepairReport | undefined;
    const onProgress = (report: RepairReport): void => {
      last = report;
      if (report.checked >= 20) control.abort("enough");
    };
    await expect(drive(storage.repair({ signal: control.signal, onProgress }), clock)).rejects.toBe("enough");
    expect((await keysIn(mocks[1]!)).keys).toHaveLength(last!.checked);
    const rest = await drive(over(mocks, clock).repair({ startAfter: last!.position }), clock);
    expect(rest).toMatchObject({ checked: 50 - last!.checked, complete: true });
    expect((await keysIn(mocks[1]!)).keys).toEqual(names);
  });

  test("does not let one entry that cannot be read hide the others of its replica", async () => {
    const below = [memoryStorage({ clock }), memoryStorage({ clock })];
    const replicas = below.map((memory) => stack(memory, envelope({ clock })));
    const storage = over(replicas, clock);
    for (const key of ["a", "b", "c"]) await over([replicas[0]!], clock).put(key, bytes(key));
    await below[0]!.put("b", bytes("rubbish"));
    const report = await drive(storage.repair(), clock);
    expect(report).toMatchObject({ checked: 3, copied: 2, failed: 1, unreachable: [], complete: false, error: { code: "corrupt" } });
    expect([await kept(replicas[1]!, "a"), await kept(replicas[1]!, "c")]).toEqual(["a", "c"]);
    await storage.put("b", bytes("again"));
    expect(await drive(storage.repair(), clock)).toMatchObject({ failed: 0, complete: true });
  });

  test("works on lists without order, but cannot go on in the middle of one", async () => {
    const replicas: readonly ByteStorage[] = [memoryStorage({ clock }), without({ list: "unordered" }, memoryStorage({ clock }))];
    const storage = over(replicas, clock);
    for (const name of ["a", "b"]) await storage.put(name, bytes(name));
    await replicas[0]?.delete("a");
    await replicas[1]?.delete("b");
    const report = await drive(storage.repair(), clock);
    expect(report).toMatchObject({ copied: 2, complete: true });
    expect(report.position).toBeUndefined();
    for (const replica of replicas) expect((await keysIn(replica)).keys).toEqual(["a", "b"]);
    await expect(storage.repair({ startAfter: "a" })).rejects.toMatchObject({ code: "unsupported" });
  });

  test.each([0, -1, Number.NaN])("refuses a rate of %d", async (rate) => {
    await expect(setup(clock, 1).storage.repair({ rate })).rejects.toMatchObject({ code: "invalid-option" });
  });
});

describe("a tombstone", () => {
  test("is dropped after 30 days, once every replica has it", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    await storage.put("a", bytes("1"));
    await storage.flush();
    mocks[2]?.on("put").fails("unavailable", { times: 1 });
    await storage.delete("a");
    await storage.flush();
    await clock.advance(29 * day);
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 1, dropped: 0 });
    await clock.advance(day);
    expect(await drive(storage.repair(), clock)).toMatchObject({ dropped: 1, complete: true });
    for (const mock of mocks) expect(await keysIn(mock)).toEqual({ keys: [], tombstones: 0 });
  });

  test("is kept however old it is while a replica lacks it or cannot be reached", async () => {
    const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
    await storage.put("a", bytes("1"));
    await storage.flush();
    mocks[2]?.on("any").fails("unavailable");
    await storage.delete("a");
    await storage.flush();
    await clock.advance(400 * day);
    expect(await drive(storage.repair(), clock)).toMatchObject({ dropped: 0, complete: false });
    expect(await keysIn(mocks[0]!)).toEqual({ keys: [], tombstones: 1 });
  });

  test("that is damaged is reported and left as it is", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.put("a", bytes("1"));
    await storage.delete("a");
    const { key = "" } = (await mocks[0]!.list()).entries[0] ?? {};
    await mocks[0]?.put(key, bytes("another key"));
    expect(await drive(storage.repair(), clock)).toMatchObject({ failed: 1, error: { code: "corrupt" } });
    expect((await keysIn(mocks[1]!)).tombstones).toBe(1);
  });

  test("that one replica cannot read any more is replaced by that of another", async () => {
    const below = [memoryStorage({ clock }), memoryStorage({ clock })];
    const storage = over(
      below.map((memory) => stack(memory, envelope({ clock }))),
      clock,
    );
    await storage.put("a", bytes("1"));
    await storage.delete("a");
    const { key = "" } = (await below[0]!.list()).entries[0] ?? {};
    await below[0]!.put(key, bytes("rubbish"));
    expect(await drive(storage.repair(), clock)).toMatchObject({ copied: 1, failed: 0, complete: true });
    expect(await below[0]!.get(key)).toEqual(await below[1]!.get(key));
  });

  test("that nobody can read any more may be the newest, so that nothing comes back", async () => {
    const below = [memoryStorage({ clock }), memoryStorage({ clock })];
    const replicas = below.map((memory) => stack(memory, envelope({ clock })));
    await over([replicas[1]!], clock).put("a", bytes("old"));
    await over([replicas[0]!], clock).put("a", bytes("old"));
    await over([replicas[0]!], clock).delete("a");
    const { key = "" } = (await below[0]!.list()).entries[0] ?? {};
    await below[0]!.put(key, bytes("rubbish"));
    expect(await drive(over(replicas, clock).repair(), clock)).toMatchObject({ copied: 0, complete: false, error: { code: "corrupt" } });
    expect(await replicas[0]!.has("a")).toBe(false);
  });
});
