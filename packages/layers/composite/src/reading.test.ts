import { StorageError } from "@stowage/core";
import type { ErrorCode } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import type { CompositeStorage } from "./index.ts";
import { bytes, drive, kept, over, setup, text } from "./testing/replicas.ts";

let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock();
});

const collect = (entry: { readonly value: ReadableStream } | undefined): Promise<string> => new Response(entry?.value).text();

describe("a read of the first", () => {
  test("asks nobody else", async () => {
    const { storage, mocks } = setup(clock, 2);
    await storage.get("a");
    mocks[1]?.expectNoCall();
  });

  test.each<ErrorCode>(["unavailable", "timeout", "throttled", "conflict", "closed", "corrupt", "tampered"])(
    "goes on after %s",
    async (code) => {
      const { storage, mocks } = setup(clock, 2);
      await storage.put("a", bytes("1"));
      mocks[0]?.on("any").fails(code);
      expect(text(await storage.get("a"))).toBe("1");
      expect((await storage.getEntry("a"))?.etag).toBeDefined();
      expect((await storage.getEntries(["a"]))[0]?.key).toBe("a");
      expect(await storage.has("a")).toBe(true);
      expect((await storage.head("a"))?.key).toBe("a");
      expect(await collect(await storage.read("a"))).toBe("1");
      expect((await storage.list()).entries).toEqual([{ key: "a" }]);
      expect(storage.stats().fallbacks).toBeGreaterThan(4);
    },
  );

  test.each<ErrorCode>(["denied", "wrong-key", "unknown-key", "invalid-key", "unsupported", "internal"])("ends with %s", async (code) => {
    const { storage, mocks } = setup(clock, 2);
    mocks[0]?.on("get").fails(code);
    await expect(storage.get("a")).rejects.toMatchObject({ code });
    mocks[1]?.expectNoCall();
  });

  test("takes absence for an answer", async () => {
    const { storage, mocks } = setup(clock, 2);
    await mocks[1]?.put("a", bytes("1"));
    expect(await storage.get("a")).toBeUndefined();
    expect(await storage.has("a")).toBe(false);
    mocks[1]?.expectNoCall("get");
  });

  test("that is aborted asks nobody else and gives the reason as it is", async () => {
    const { storage, mocks } = setup(clock, 2);
    mocks[0]?.on("get").hangs();
    const control = new AbortController();
    const reading = storage.get("a", { signal: control.signal });
    const reason = { because: "enough" };
    control.abort(reason);
    await expect(reading).rejects.toBe(reason);
    mocks[1]?.expectNoCall();
  });

  test("goes on when a replica does not answer in time", async () => {
    const { storage, mocks } = setup(clock, 2, { timeout: 1_000 });
    await storage.put("a", bytes("1"));
    mocks[0]?.on("get").hangs();
    const before = clock.now();
    expect(text(await drive(storage.get("a"), clock))).toBe("1");
    expect(clock.now() - before).toBeLessThan(1_100);
  });

  test("gives a stream that goes on although another call that began with it runs out of time", async () => {
    const { storage, mocks } = setup(clock, 1, { timeout: 1_000 });
    await storage.put("large", new Uint8Array(1_000_000));
    mocks[0]?.on("get", "other").hangs();
    const other = storage.get("other");
    const entry = await storage.read("large");
    await expect(drive(other, clock)).rejects.toMatchObject({ code: "timeout" });
    expect((await new Response(entry?.value).bytes()).byteLength).toBe(1_000_000);
  });

  test("that runs out of time is ended on its replica, and a stream that comes then is cancelled", async () => {
    const { storage, mocks } = setup(clock, 2, { timeout: 1_000, write: { quorum: 1 }, read: { quorum: 1 } });
    let cancelled = false;
    let arrive = (): void => {};
    const late = new Promise<void>((resolve) => (arrive = resolve));
    const value = new ReadableStream({ cancel: () => void (cancelled = true) });
    mocks[0]?.on("read").answers(() => late.then(() => ({ key: "a", value })));
    expect(await drive(storage.read("a"), clock)).toBeUndefined();
    expect(mocks[0]?.callsTo("read")[0]?.options?.signal?.aborted).toBe(true);
    arrive();
    await expect.poll(() => cancelled).toBe(true);
  });

  test("that nobody can answer tells what became of each replica", async () => {
    const { storage, mocks } = setup(clock, 2);
    mocks[0]?.on("get").fails("corrupt");
    mocks[1]?.on("get").fails("unavailable");
    const error = (await storage.get("a").catch((reason: unknown) => reason)) as StorageError;
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(error.message).toBe('No replica could answer: "r0" failed with corrupt, "r1" failed with unavailable.');
    expect(error.failures).toHaveLength(2);
  });
});

describe("a replica that fails again and again", () => {
  const options = { timeout: 1_000, breaker: { failures: 3, pause: 10_000 } };

  test("is left alone, is tried by one call after the pause, and is back when that succeeds", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    const health = (): string | undefined => storage.stats().replicas[0]?.health;
    mocks[0]?.on("get").fails("unavailable", { times: 4 });
    for (let count = 0; count < 5; count++) await storage.get("a");
    expect(mocks[0]?.callsTo("get")).toHaveLength(3);
    expect(health()).toBe("down");
    await clock.advance(10_000);
    await Promise.all([storage.get("a"), storage.get("a"), storage.get("a")]);
    expect(mocks[0]?.callsTo("get")).toHaveLength(4);
    expect(health()).toBe("down");
    await clock.advance(10_000);
    mocks[0]?.on("get").delays(50, { times: 1 });
    const trying = storage.get("a");
    await storage.get("a");
    expect(health()).toBe("trying");
    await drive(trying, clock);
    expect(health()).toBe("up");
    expect(mocks[0]?.callsTo("get")).toHaveLength(5);
  });

  test("is not left alone for what is the fault of an entry or of a caller", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    mocks[0]?.on("get").fails("corrupt");
    for (let count = 0; count < 10; count++) await storage.get("a");
    expect(storage.stats().replicas[0]?.health).toBe("up");
    mocks[0]?.on("has").hangs();
    for (let count = 0; count < 10; count++) {
      const control = new AbortController();
      const asked = storage.has("a", { signal: control.signal });
      control.abort("enough");
      await asked.catch(() => {});
    }
    expect(storage.stats().replicas[0]?.health).toBe("up");
  });

  test("is not left alone for longer when the time of day is set back", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    mocks[0]?.on("get").fails("unavailable", { times: 3 });
    for (let count = 0; count < 3; count++) await storage.get("a");
    clock.jump(-86_400_000);
    await storage.get("a");
    expect(storage.stats().replicas[0]?.health).toBe("up");
  });
});

describe("a read of the fastest", () => {
  const options = { read: "fastest", hedgeDelay: 50 } as const;

  test("asks the next replica too when the first is slow, takes the first answer and lets go of the other", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    await storage.put("a", bytes("1"));
    mocks[0]?.on("get").hangs();
    const reading = storage.get("a");
    await clock.advance(49);
    mocks[1]?.expectNoCall("get");
    await clock.advance(1);
    expect(text(await reading)).toBe("1");
    mocks[2]?.expectNoCall("get");
    expect(mocks[0]?.callsTo("get")[0]?.options?.signal?.aborted).toBe(true);
    expect(storage.stats().hedges).toBe(1);
  });

  test("asks the next one at once when the first fails", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    await storage.put("a", bytes("1"));
    mocks[0]?.on("get").fails("unavailable");
    expect(text(await storage.get("a"))).toBe("1");
  });

  test("leaves no timer behind, and cancels a stream that came second", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    await storage.put("a", bytes("1"));
    let cancelled = false;
    const late = new ReadableStream({ cancel: () => void (cancelled = true) });
    mocks[0]?.on("read").answers(async () => {
      await clock.sleep(100);
      return { key: "a", value: late };
    });
    const reading = storage.read("a");
    await clock.advance(50);
    expect(await collect(await reading)).toBe("1");
    await clock.advance(50);
    expect(cancelled).toBe(true);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });
});

describe("a read by a quorum", () => {
  const options = { write: { quorum: 2 }, read: { quorum: 2 } } as const;

  test("gives the newest of the answers, of which only one is asked for the value", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    await storage.put("a", bytes("old"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("new"));
    await storage.flush();
    expect(text(await storage.get("a"))).toBe("new");
    expect((await storage.head("a"))?.etag).toBe((await storage.getEntry("a"))?.etag);
    expect(await collect(await storage.read("a"))).toBe("new");
    expect(storage.stats().differences).toBe(4);
    const [, second] = mocks;
    await storage.put("b", bytes("same"));
    await storage.flush();
    const before = second!.callsTo("getEntry").length;
    expect(text(await storage.get("b"))).toBe("same");
    expect(second!.callsTo("getEntry")).toHaveLength(before);
  });

  test("asks others in place of those that fail, and rejects when there are too few", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    await storage.put("a", bytes("1"));
    await storage.flush();
    mocks[0]?.on("getEntry").fails("unavailable");
    expect(text(await storage.get("a"))).toBe("1");
    mocks[1]?.on("head").fails("unavailable");
    await expect(storage.get("a")).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("Fewer than 2 replicas") as string,
    });
  });

  test.each<ErrorCode>(["corrupt", "tampered", "unavailable", "closed"])(
    "goes on to another that has the value, when the one that tells of it fails with %s",
    async (code) => {
      const { storage, mocks } = setup(clock, 3, options);
      await storage.put("a", bytes("old"));
      mocks[0]?.on("put").fails("unavailable", { times: 1 });
      await storage.put("a", bytes("new"));
      await storage.flush();
      mocks[1]?.on(["getEntry", "read"]).fails(code);
      expect(text(await storage.get("a"))).toBe("new");
      expect(await collect(await storage.read("a"))).toBe("new");
      expect(storage.stats().fallbacks).toBe(2);
      mocks[0]?.on(["getEntry", "read"]).fails("unavailable");
      expect(text(await storage.get("a"))).toBe("new");
    },
  );

  test("gives nothing older where nobody can give the newest, and ends with denial", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    await storage.put("a", bytes("old"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("new"));
    await storage.flush();
    mocks[1]?.on("getEntry").fails("corrupt", { times: 1 }).fails("denied");
    mocks[2]?.on("getEntry").fails("unavailable");
    await expect(storage.get("a")).rejects.toMatchObject({ code: "unavailable" });
    await expect(storage.get("a")).rejects.toMatchObject({ code: "denied" });
  });

  test.each<ErrorCode>(["corrupt", "unavailable"])(
    "asks another in place of one that fails with %s when it should tell of a delete",
    async (code) => {
      const { storage, mocks } = setup(clock, 3, options);
      await storage.put("gone", bytes("1"));
      await storage.flush();
      mocks[0]?.on("put").fails("unavailable", { times: 2 });
      await storage.delete("gone");
      await storage.put("there", bytes("1"));
      await storage.flush();
      const ofTombstone = ({ key }: { readonly key: string | undefined }): boolean => key?.startsWith("stowage-deleted/") === true;
      mocks[1]?.on("head", ofTombstone).fails(code);
      expect(await kept(mocks[0]!, "gone")).toBe("1");
      expect(await storage.get("gone")).toBeUndefined();
      expect(text(await storage.get("there"))).toBe("1");
      expect(await collect(await storage.read("there"))).toBe("1");
      mocks[2]?.on("head", ofTombstone).fails("unavailable");
      await expect(storage.get("gone")).rejects.toMatchObject({ code: "unavailable" });
      await expect(storage.read("there")).rejects.toMatchObject({ code: "unavailable" });
    },
  );

  test("repairs what it saw to differ, where that is asked for", async () => {
    const { storage, mocks } = setup(clock, 3, { ...options, readRepair: true });
    await storage.put("a", bytes("old"));
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    await storage.put("a", bytes("new"));
    await storage.flush();
    expect(text(await storage.get("a"))).toBe("new");
    await storage.flush();
    expect(await kept(mocks[0]!, "a")).toBe("new");
    expect(storage.stats()).toMatchObject({ differences: 1, repaired: 1 });
  });

  test("with ifMatch gives that version from whoever has it, and no other, although a replica may have it still", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    const old = await storage.put("a", bytes("old"));
    await storage.flush();
    mocks[0]?.on("put").fails("unavailable", { times: 1 });
    const { etag } = await storage.put("a", bytes("new"));
    await storage.flush();
    expect(await collect(await storage.read("a", { ifMatch: etag }))).toBe("new");
    for (const other of [old.etag, "never", ""])
      await expect(storage.read("a", { ifMatch: other })).rejects.toMatchObject({ code: "precondition-failed" });
  });
});

describe("where a replica that has nothing is not taken at its word", () => {
  const options = { readMissing: "next" } as const;

  test("the next is asked, and what it has is copied up with its metadata, expiry and version", async () => {
    const { storage, mocks } = setup(clock, 3, options);
    const { etag } = await storage.put("a", bytes("1"), { metadata: { author: "Ada" }, ttl: 60_000 });
    await mocks[0]?.clear();
    await mocks[1]?.clear();
    expect(text(await storage.get("a"))).toBe("1");
    await storage.flush();
    for (const mock of mocks)
      expect(await mock.getEntry("a")).toMatchObject({
        metadata: { author: "Ada", "stowage-version": etag },
        expiresAt: clock.now() + 60_000,
      });
    expect(storage.stats().promoted).toBe(2);
    expect(mocks[0]?.callsTo("put").at(-1)?.options).toMatchObject({ ifNoneMatch: "*" });
  });

  test("a stream is copied up too, and what is copied is not what the caller changes", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    await storage.put("a", bytes("1"));
    await mocks[0]?.clear();
    expect(await collect(await storage.read("a"))).toBe("1");
    await storage.flush();
    expect(await kept(mocks[0]!, "a")).toBe("1");
    await mocks[0]?.clear();
    (await storage.get("a"))?.fill(0);
    await storage.flush();
    expect(await kept(mocks[0]!, "a")).toBe("1");
  });

  test("nothing is copied over what came meanwhile, nor up where that is switched off", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    await storage.put("a", bytes("old"));
    await mocks[0]?.clear();
    mocks[0]?.on("put").answers(async ({ options: asked }) => {
      await mocks[0]!.write("a", new Blob(["newer"]));
      expect(asked).toMatchObject({ ifNoneMatch: "*" });
      throw new StorageError("precondition-failed", "There is something.");
    });
    await storage.get("a");
    await storage.flush();
    expect(await kept(mocks[0]!, "a")).toBe("newer");
    const still = setup(clock, 2, { readMissing: "next", promote: false });
    await still.mocks[1]?.put("a", bytes("1"));
    expect(text(await still.storage.get("a"))).toBe("1");
    await still.storage.flush();
    still.mocks[0]?.expectNoCall("put");
  });

  test("what one replica knows to be deleted is missing, and is not copied back", async () => {
    const { storage, mocks } = setup(clock, 3, { ...options, write: { quorum: 2 } });
    await storage.put("a", bytes("1"));
    await storage.flush();
    mocks[2]?.on("put").fails("unavailable", { times: 1 });
    await storage.delete("a");
    await storage.flush();
    expect(await kept(mocks[2]!, "a")).toBe("1");
    expect(await storage.get("a")).toBeUndefined();
    expect(await storage.has("a")).toBe(false);
    expect((await storage.list()).entries).toEqual([]);
    await storage.flush();
    expect(await mocks[0]?.has("a")).toBe(false);
  });

  test("missing is what all say; where one could not be asked, that is the answer", async () => {
    const { storage, mocks } = setup(clock, 2, options);
    expect(await storage.get("a")).toBeUndefined();
    mocks[1]?.on("any").fails("unavailable");
    await expect(storage.get("a")).rejects.toMatchObject({ code: "unavailable" });
    await expect(storage.list()).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a list has what any replica has, in order, on pages of any size", async () => {
    const replicas = [memoryStorage({ clock }), memoryStorage({ clock }), memoryStorage({ clock })];
    const storage = over(replicas, clock, options);
    const names = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, "0")}/${index % 3}`);
    for (const [index, name] of names.entries()) {
      await storage.put(name, bytes(name));
      for (const [position, replica] of replicas.entries()) if ((index >> position) % 2 === 1 && position < 2) await replica.delete(name);
    }
    await storage.put("gone", bytes("1"));
    await storage.delete("gone");
    for (const limit of [1, 3, 7, 100]) {
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await storage.list({ limit, cursor, info: limit === 7 });
        expect(page.entries.length).toBeLessThanOrEqual(limit);
        listed.push(...page.entries.map(({ key }) => key));
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(listed).toEqual(names);
    }
    expect((await storage.list({ delimiter: "/", prefix: "k1" })).prefixes).toHaveLength(10);
  });
});

test("a list goes on at another replica when the first is gone, with the same cursor", async () => {
  const { storage, mocks } = setup(clock, 2);
  for (const name of ["a", "b", "c", "d"]) await storage.put(name, bytes(name));
  const first = await storage.list({ limit: 2 });
  mocks[0]?.on("list").fails("unavailable");
  const second = await over(mocks, clock).list({ limit: 2, cursor: first.cursor });
  expect([...first.entries, ...second.entries].map(({ key }) => key)).toEqual(["a", "b", "c", "d"]);
  await expect(storage.list({ cursor: "bogus" })).rejects.toMatchObject({ code: "invalid-option" });
});

test("close closes every replica, and then tells the first that could not be closed", async () => {
  const { storage, mocks } = setup(clock, 3);
  const broken = new StorageError("internal", "It is stuck.");
  mocks[1]?.on("close").fails(broken);
  await expect(storage.close()).rejects.toBe(broken);
  for (const mock of mocks) mock.expectCall("close", undefined, 1);
});

describe("close waits for a call that runs, with all its steps:", () => {
  const names = Array.from({ length: 100 }, (_, index) => `k${index}`);
  const quorum = { write: { quorum: 2 }, read: { quorum: 2 } } as const;

  test.each<[string, Parameters<typeof setup>[2], (storage: CompositeStorage) => Promise<unknown>]>([
    ["a get that goes on after a failure", {}, (storage) => storage.get("k1")],
    ["a get that goes on after absence", { readMissing: "next" }, (storage) => storage.get("k0")],
    ["a head by a quorum", quorum, (storage) => storage.head("k0")],
    ["getEntries by a quorum", quorum, (storage) => storage.getEntries(names)],
    ["a list of all", { readMissing: "next" }, (storage) => storage.list({ delimiter: "1" })],
    ["a batch", {}, (storage) => storage.batch(names.map((key) => ({ type: "put", key, value: bytes("2") })))],
    ["a clear", {}, (storage) => storage.clear()],
    ["a read by a quorum", quorum, (storage) => storage.read("k0")],
  ])("%s", async (_, options, call) => {
    const { storage, mocks } = setup(clock, 3, options);
    for (const name of names) await storage.put(name, bytes("1"));
    await mocks[0]?.delete("k0");
    mocks[0]?.on("get", "k1").fails("unavailable", { delay: 5 });
    for (const mock of mocks) mock.on("any").delays(5);
    const running = call(storage);
    const closing = storage.close();
    for (const mock of mocks) mock.expectNoCall("close");
    await expect(drive(running, clock)).resolves.not.toThrow();
    await drive(closing, clock);
    for (const mock of mocks) mock.expectCall("close", undefined, 1);
    await expect(call(storage)).rejects.toMatchObject({ code: "closed" });
  });
});

test("clear removes what any replica has, also what the first lacks", async () => {
  const { storage, mocks } = setup(clock, 3, { write: { quorum: 2 } });
  mocks[0]?.on("put", "b").fails("unavailable");
  for (const name of ["a", "b"]) await storage.put(name, bytes(name));
  await storage.clear();
  for (const name of ["a", "b"]) for (const mock of mocks) expect(await mock.has(name)).toBe(false);
});
