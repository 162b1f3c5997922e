import { constants } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bytes, ByteStorage, ErrorCode, StorageError } from "@stowage/core";
import { describe, expect, test } from "vitest";
import type { DirectCalls, FileCalls } from "./file-system.ts";
import { nodeFileSystem } from "./file-system.ts";
import { Governor } from "./governor.ts";
import { bytes, draftsIn, freshFolder, hurriedClock, open, textUnder } from "./testing/folders.ts";
import { ObservedFileSystem, systemError } from "./testing/observed-file-system.ts";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function drain(reader: ReadableStreamDefaultReader<Bytes>): Promise<void> {
  while (!(await reader.read()).done);
}

const large = new Uint8Array(3_000_000).map((_, index) => index * 7);

describe("writes", () => {
  test.each([
    ["one byte", () => 1],
    ["all but one byte", (length: number) => Math.max(1, length - 1)],
    ["half", (length: number) => Math.max(1, length >> 1)],
  ])("go on until every byte is out when each call takes only %s", async (_, taken) => {
    const directory = await freshFolder();
    for (const io of ["auto", "pool"] as const) {
      const fileSystem = new ObservedFileSystem({
        ...nodeFileSystem,
        direct: shorter(nodeFileSystem.direct),
        pool: shorter(nodeFileSystem.pool),
      });
      const storage = open(directory, { io, fileSystem });
      const value = new Uint8Array(1_000).map((__, index) => index);
      await storage.put("put", value);
      await storage.write(
        "written",
        (async function* () {
          for (let start = 0; start < 1_000; start += 90) yield value.slice(start, start + 90);
        })(),
      );
      expect(await storage.get("put")).toEqual(value);
      expect(await storage.get("written")).toEqual(value);
    }

    function shorter<C extends FileCalls>(calls: C): C {
      return {
        ...calls,
        write: (fd, buffer, offset, length) => calls.write(fd, buffer, offset, taken(length)),
        writev: (fd, buffers) => calls.write(fd, buffers[0]!, 0, taken(buffers[0]!.byteLength)),
      };
    }
  });

  test("that the file system does not take are errors, not loops", async () => {
    const nothing = <C extends FileCalls>(calls: C): C => ({ ...calls, write: () => 0, writev: () => 0 });
    const fileSystem = new ObservedFileSystem({
      ...nodeFileSystem,
      direct: nothing(nodeFileSystem.direct),
      pool: nothing(nodeFileSystem.pool),
    });
    const storage = open(await freshFolder(), { fileSystem });
    await expect(storage.put("key", bytes("value"))).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    await expect(storage.write("key", new Blob(["value"]))).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    expect(await storage.get("key")).toBeUndefined();
  });

  test("are not published when the file has another size than the value", async () => {
    const directory = await freshFolder();
    const lying = (calls: DirectCalls): DirectCalls => ({ ...calls, write: (_, __, ___, length) => length });
    const fileSystem = new ObservedFileSystem({ ...nodeFileSystem, direct: lying(nodeFileSystem.direct) });
    await expect(open(directory, { fileSystem }).put("key", bytes("value"))).rejects.toMatchObject({ code: "unavailable" });
    expect(await open(directory).get("key")).toBeUndefined();
  });

  test("are synced before they are seen, and their folders after, each that is new", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { durability: "power", fileSystem });
    await storage.put("warm", bytes("value"));
    const steps = async (work: () => Promise<unknown>): Promise<string> => {
      fileSystem.log.length = 0;
      await work();
      return fileSystem.log
        .map((name) => name.replace("pool ", ""))
        .filter((name) => ["write", "fsync", "rename", "link", "unlink", "mkdir", "rmdir"].includes(name))
        .join(" ");
    };
    expect(await steps(() => storage.put("key", bytes("value")))).toBe("write fsync rename fsync");
    expect(await steps(() => storage.put("new", bytes("value"), { ifNoneMatch: "*" }))).toBe("write fsync link unlink fsync");
    expect(await steps(() => storage.put("a/b/key", bytes("value")))).toBe("write fsync rename mkdir mkdir mkdir rename fsync fsync fsync");
    expect(await steps(() => storage.put("a/b/key", bytes("value")))).toBe("write fsync rename fsync");
    expect(await steps(() => storage.delete("key"))).toBe("unlink fsync");
    expect(await steps(() => storage.delete("a/b/key"))).toBe("unlink rmdir rmdir fsync");
    expect(await steps(() => storage.delete("a/b/key"))).toBe("");
  });

  test("with durability process never sync", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem });
    await storage.put("a/key", bytes("value"));
    await storage.write("key", new Blob(["value"]));
    await storage.delete("key");
    await storage.flush();
    expect(fileSystem.log.filter((name) => name.includes("fsync"))).toEqual([]);
  });

  test("that come together share the syncs of their folder", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { durability: "power", fileSystem });
    await storage.put("warm", bytes("value"));
    const before = storage.details().stats["folderSyncs"]!;
    await Promise.all(Array.from({ length: 32 }, (_, index) => storage.put(`key ${index}`, bytes("value"))));
    expect(storage.details().stats["folderSyncs"]! - before).toBeLessThan(32);
    await Promise.all(Array.from({ length: 32 }, (_, index) => storage.delete(`key ${index}`)));
    expect(storage.details().stats["folderSyncs"]! - before).toBeLessThan(48);
  });

  test("are discarded when their sync fails, and not synced again", async () => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { durability: "power", fileSystem });
    await storage.put("key", bytes("old"));
    const synced: unknown[] = [];
    fileSystem.interfere = async ({ name, args }, go) => {
      if (name !== "fsync") return await go();
      synced.push(args[0]);
      throw systemError("EIO", name);
    };
    const later = fileSystem.interfere;
    fileSystem.interfere = (call, go) => (call.direct ? go() : later(call, go));
    await expect(storage.put("key", bytes("new"))).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    expect(synced).toHaveLength(1);
    expect(await textUnder(storage, "key")).toBe("old");
    expect(await draftsIn(directory)).toEqual([]);
  });

  test("whose folder cannot be synced are unknown, and a delete sent again is not acknowledged for nothing", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { durability: "power", fileSystem });
    await storage.put("key", bytes("old"));
    let broken = true;
    let syncs = 0;
    fileSystem.interfere = ({ name, direct }, go) => {
      if (direct || name !== "fsync") return go();
      syncs++;
      return broken ? Promise.reject(systemError("EIO", name)) : go();
    };
    await expect(storage.delete("key")).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
    await expect(storage.delete("key")).rejects.toMatchObject({ code: "unavailable" });
    await expect(storage.flush()).rejects.toMatchObject({ code: "unavailable" });
    broken = false;
    syncs = 0;
    await storage.delete("key");
    expect(syncs).toBe(1);
    await storage.flush();
    expect(syncs).toBe(1);
  });

  test("that find nothing to delete wait for the delete that is under way", async () => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { durability: "power", fileSystem });
    for (const key of ["key", "a/b/key"]) {
      await storage.put(key, bytes("value"));
      const held: (() => void)[] = [];
      fileSystem.interfere = ({ name, direct }, go) => {
        if (direct || name !== "fsync") return go();
        return new Promise((resolve, reject) => held.push(() => void Promise.resolve(go()).then(resolve, reject)));
      };
      const done: string[] = [];
      const deletes = ["first", "second", "third"].map(async (name) => {
        await storage.delete(key);
        done.push(name);
      });
      while (held.length === 0) await turn();
      for (let turns = 0; turns < 100; turns++) await turn();
      expect(await storage.has(key)).toBe(false);
      expect(done).toEqual([]);
      fileSystem.interfere = (_, go) => go();
      for (const release of held) release();
      await Promise.all(deletes);
    }
  });

  test("need a file system that syncs folders, or say so when it is opened", async () => {
    const fileSystem = new ObservedFileSystem();
    fileSystem.interfere = ({ name }, go) => (name === "fsync" ? Promise.reject(systemError("EINVAL", name)) : go());
    const directory = await freshFolder();
    await expect(open(directory, { durability: "power", fileSystem }).get("key")).rejects.toMatchObject({ code: "unsupported" });
    expect(await open(directory, { fileSystem }).get("key")).toBeUndefined();
  });
});

describe("errors of the system", () => {
  test.each<[string, ErrorCode, boolean]>([
    ["ENOSPC", "full", false],
    ["EDQUOT", "full", false],
    ["EFBIG", "too-large", false],
    ["EACCES", "denied", false],
    ["EPERM", "denied", false],
    ["EROFS", "read-only", false],
    ["ENAMETOOLONG", "invalid-key", false],
    ["EXDEV", "unsupported", false],
    ["EMFILE", "unavailable", true],
    ["EIO", "unavailable", true],
    ["ESTALE", "unavailable", true],
    ["EWEIRD", "internal", false],
  ])("%s is %s", async (system, code, retryable) => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem, clock: hurriedClock });
    await storage.put("key", bytes("value"));
    fileSystem.interfere = ({ name }, go) => {
      if (name === "open") throw systemError(system, name);
      return go();
    };
    for (const [operation, call] of Object.entries({ put: () => storage.put("key", bytes("new")), get: () => storage.get("key") })) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code, retryable, operation, key: "key", storage: "file", outcome: "none", cause: { code: system } });
      expect((error as StorageError).message).not.toContain('key"');
    }
  });

  test.each<[string, ErrorCode]>([
    ["EROFS", "read-only"],
    ["EACCES", "denied"],
    ["ENOSPC", "full"],
    ["EMFILE", "unavailable"],
  ])("%s on the way to a lock is %s too, whatever else is there", async (system, code) => {
    const directory = await freshFolder();
    await open(directory).put("key", bytes("value"));
    const fileSystem = new ObservedFileSystem();
    fileSystem.interfere = ({ name, direct, args }, go) =>
      name === "open" && !direct && ((args[1] as number) & constants.O_CREAT) !== 0 ? Promise.reject(systemError(system, name)) : go();
    const storage = open(directory, { fileSystem });
    expect(await textUnder(storage, "key")).toBe("value");
    await expect(storage.put("key", bytes("new"))).rejects.toMatchObject({ code, outcome: "none" });
    await expect(storage.delete("key")).rejects.toMatchObject({ code, outcome: "none" });
    expect(await textUnder(storage, "key")).toBe("value");
  });

  test("of a source stay what they are", async () => {
    const storage = open(await freshFolder());
    const mine = systemError("ENOENT", "open");
    const failing = async function* (): AsyncGenerator<Bytes> {
      yield bytes("some");
      throw mine;
    };
    expect(await storage.write("key", failing()).catch((error: unknown) => error)).toBe(mine);
    expect(await storage.get("key")).toBeUndefined();
  });

  test("of a file that somebody has open on Windows are waited for, elsewhere they are told", async () => {
    for (const platform of ["win32", "linux"] as const) {
      const fileSystem = new ObservedFileSystem({ ...nodeFileSystem, platform });
      const storage = open(await freshFolder(), { fileSystem, clock: hurriedClock });
      await storage.put("key", bytes("one"));
      let refusals = 0;
      fileSystem.interfere = ({ name }, go) => {
        if (name === "rename" && refusals++ < 5) throw systemError("EPERM", name);
        return go();
      };
      if (platform === "win32") await storage.put("key", bytes("two"));
      else await expect(storage.put("key", bytes("two"))).rejects.toMatchObject({ code: "denied" });
      expect(refusals).toBe(platform === "win32" ? 6 : 1);
      refusals = -1e9;
      if (platform === "win32") await expect(storage.put("key", bytes("three"))).rejects.toMatchObject({ code: "denied" });
    }
  });

  test("that would never come from links fall back to what the lock decides", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem });
    fileSystem.interfere = ({ name }, go) => {
      if (name === "link") throw systemError("EPERM", name);
      return go();
    };
    await storage.put("key", bytes("first"), { ifNoneMatch: "*" });
    await expect(storage.put("key", bytes("second"), { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed" });
    expect(await textUnder(storage, "key")).toBe("first");
  });
});

describe("open files", () => {
  test("are at most 64, whatever is asked for at once", async () => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { io: "pool", durability: "power", fileSystem });
    let most = 0;
    fileSystem.interfere = async (_, go) => {
      const answer = await go();
      most = Math.max(most, fileSystem.open.size);
      return answer;
    };
    const watched = fileSystem.interfere;
    fileSystem.interfere = (call, go) => (call.direct ? go() : watched(call, go));
    await Promise.all(Array.from({ length: 300 }, (_, index) => storage.put(`a/${index}`, bytes("value"))));
    await Promise.all(Array.from({ length: 300 }, (_, index) => storage.get(`a/${index}`)));
    expect(most).toBeGreaterThan(3);
    expect(most).toBeLessThanOrEqual(64);
    expect(fileSystem.open.size).toBe(0);
  });

  test("are waited for where the process has none left", async () => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { fileSystem, clock: hurriedClock });
    let refusals = 0;
    let limit = 5;
    fileSystem.interfere = ({ name }, go) => {
      if (name !== "open" && name !== "opendir") return go();
      if (fileSystem.open.size < limit && refusals % 3 !== 0) return go();
      refusals++;
      throw systemError("EMFILE", name);
    };
    refusals = 1;
    await Promise.all(Array.from({ length: 100 }, (_, index) => storage.put(`${index}`, bytes(String(index)))));
    const values = await storage.getEntries(Array.from({ length: 100 }, (_, index) => String(index)));
    expect(values.map((entry) => new TextDecoder().decode(entry?.value))).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
    limit = 0;
    await expect(storage.get("1")).rejects.toMatchObject({ code: "unavailable", retryable: true });
  });

  test("of streams that wait for each other are no deadlock", async () => {
    const storage = open(await freshFolder());
    await storage.put("key", large);
    const streams = await Promise.all(Array.from({ length: 100 }, () => storage.read("key")));
    await Promise.all(streams.map((entry, index) => storage.write(`copy ${index % 3}`, entry!.value)));
    expect(await storage.get("copy 2")).toEqual(large);
    expect(storage.details().stats["openStreams"]).toBe(0);
  });
});

describe("streams", () => {
  test("have the value as it was when they were opened, whatever comes after", async () => {
    const storage = open(await freshFolder());
    const { etag } = await storage.put("key", large);
    const entry = await storage.read("key");
    await storage.put("key", bytes("new"));
    await storage.delete("key");
    expect(entry).toMatchObject({ size: large.byteLength, etag });
    expect(await new Response(entry!.value).bytes()).toEqual(large);
  });

  test("read a part from its place, and no more than that", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem });
    await storage.put("key", large);
    const read: number[] = [];
    fileSystem.interfere = ({ name, args }, go) => {
      if (name === "read") read.push(Number(args[3]));
      return go();
    };
    for (const [start, end] of [
      [0, 10],
      [1_000_000, 1_300_000],
      [-5, undefined],
      [2_999_999, 9e9],
      [10, 5],
      [-9e9, 3],
    ] as const) {
      read.length = 0;
      const entry = await storage.read("key", { start, end });
      const part = large.slice(start, end);
      expect(await new Response(entry!.value).bytes()).toEqual(part);
      expect(read.reduce((sum, length) => sum + length, 0)).toBe(part.byteLength);
      expect(entry!.size).toBe(large.byteLength);
    }
  });

  test.each(["cancel", "abort", "close", "fail"])("let go of their file when they end early: %s", async (end) => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const storage = open(directory, { fileSystem });
    await storage.put("key", large);
    const stop = new AbortController();
    const entry = await storage.read("key", { signal: stop.signal });
    const reader = entry!.value.getReader();
    await reader.read();
    expect(fileSystem.open.size).toBe(1);
    if (end === "cancel") await reader.cancel();
    if (end === "abort") stop.abort(new Error("enough"));
    if (end === "close") await storage.close();
    if (end === "fail") fileSystem.interfere = ({ name }, go) => (name === "read" ? Promise.reject(systemError("EIO", name)) : go());
    const rest = await drain(reader).then(
      () => "end",
      (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
    );
    expect(rest).toBe({ cancel: "end", abort: "enough", close: "closed", fail: "unavailable" }[end]);
    await turn();
    await turn();
    fileSystem.interfere = (_, go) => go();
    await storage.close();
    expect(fileSystem.open.size).toBe(0);
  });

  test("that another program shortens fail instead of ending early", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.put("key", large);
    const entry = await storage.read("key");
    await writeFile(join(directory, "key"), "short");
    await expect(new Response(entry!.value).bytes()).rejects.toMatchObject({ code: "conflict" });
  });

  test("write in large pieces what comes in small ones", async () => {
    const fileSystem = new ObservedFileSystem();
    const directory = await freshFolder();
    const storage = open(directory, { fileSystem });
    await storage.write(
      "key",
      (async function* () {
        for (let start = 0; start < large.byteLength; start += 16_384) yield large.slice(start, start + 16_384);
      })(),
    );
    expect(fileSystem.log.filter((name) => name.includes("write"))).toHaveLength(3);
    expect(new Uint8Array(await readFile(join(directory, "key")))).toEqual(large);
  });
});

describe("an abort", () => {
  const calls: Record<string, (storage: ByteStorage, signal: AbortSignal) => Promise<unknown>> = {
    put: (storage, signal) => storage.put("key", bytes("new"), { signal }),
    "put of a large value": (storage, signal) => storage.put("key", large, { signal }),
    write: (storage, signal) => storage.write("key", new Blob(["new"]), { signal }),
    delete: (storage, signal) => storage.delete("key", { signal }),
    get: (storage, signal) => storage.get("key", { signal }),
    list: (storage, signal) => storage.list({ signal }),
  };

  test.each(Object.keys(calls))("ends a %s at once, in whatever call it waits, and leaves nothing behind", async (name) => {
    const directory = await freshFolder();
    const check = open(directory);
    for (let n = 1; ; n++) {
      await check.put("key", bytes("old"));
      const fileSystem = new ObservedFileSystem();
      const storage = open(directory, { io: "pool", durability: "power", fileSystem });
      await storage.put("warm", bytes("value"));
      const stop = new AbortController();
      let release = (): void => {};
      let count = 0;
      fileSystem.interfere = ({ direct }, go) => {
        if (direct || ++count !== n) return go();
        stop.abort(new Error("enough"));
        return new Promise((resolve, reject) => {
          release = () => void Promise.resolve(go()).then(resolve, reject);
        });
      };
      const error = await calls[name]!(storage, stop.signal).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const reached = stop.signal.aborted;
      if (reached) expect(error).toBe(stop.signal.reason);
      fileSystem.interfere = (_, go) => go();
      release();
      await storage.close();
      expect(fileSystem.open.size).toBe(0);
      expect(await draftsIn(directory)).toEqual([]);
      expect(["old", "new", undefined, new TextDecoder().decode(large)]).toContain(await textUnder(check, "key"));
      if (!reached) return;
    }
  });
});

describe("direct calls", () => {
  test("serve small values, the pool the bytes of large ones", async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem });
    await storage.put("small", bytes("value"));
    /** What was done on the pool, in a round in which this machine was not too busy for direct calls. */
    const onPool = async (work: () => Promise<unknown>, expected: readonly string[]): Promise<string[]> => {
      for (let round = 0; ; round++) {
        fileSystem.log.length = 0;
        await work();
        const found = fileSystem.log.filter((name) => name.startsWith("pool "));
        if (found.length === expected.length || round === 50) return found;
      }
    };
    expect(await onPool(() => storage.put("small", bytes("value")), [])).toEqual([]);
    expect(await onPool(() => storage.get("small"), [])).toEqual([]);
    expect(await onPool(() => storage.put("large", large), ["write"])).toEqual(["pool write"]);
    expect(await onPool(() => storage.get("large"), ["read"])).toEqual(["pool read"]);
  });

  test('are not made for names and bytes with io: "pool"', async () => {
    const fileSystem = new ObservedFileSystem();
    const storage = open(await freshFolder(), { fileSystem, io: "pool" });
    await storage.put("a/key", bytes("value"));
    await storage.get("a/key");
    await storage.list();
    await storage.delete("a/key");
    const direct = new Set(fileSystem.log.filter((name) => !name.startsWith("pool ")));
    expect([...direct].toSorted()).toEqual(["close", "fstat", "lstat"]);
  });

  /** A governor with a time of its own, in which a call takes as long as a test says. */
  function governed(): { readonly governor: Governor; readonly time: { now: number; cost: number } } {
    const time = { now: 1_000, cost: 0 };
    const fileSystem = new ObservedFileSystem();
    fileSystem.interfere = ({ direct }, go) => {
      if (direct) time.now += time.cost;
      return go();
    };
    return { governor: new Governor(fileSystem, "auto", () => time.now), time };
  }

  test("give way to timers and sockets after a millisecond", async () => {
    const { governor, time } = governed();
    let turns = 0;
    let going = true;
    const count = (): void => {
      turns++;
      if (going) setImmediate(count);
    };
    setImmediate(count);
    for (const wait of [() => governor.choose(0), () => governor.breathe()]) {
      turns = 0;
      for (let calls = 0; calls < 100; calls++) {
        await wait();
        time.now += 0.5;
      }
      expect(turns).toBeGreaterThanOrEqual(30);
      expect(turns).toBeLessThanOrEqual(60);
    }
    going = false;
  });

  test("are given up for a while when one was slow, and longer each time it is slow again", async () => {
    const { governor, time } = governed();
    /** Whether a call was direct; then it took as long as it does now. */
    const look = async (): Promise<boolean> => {
      const choice = await governor.choose(0);
      if (governor.isDirect(choice)) await choice.names.lstat("/");
      return governor.isDirect(choice);
    };
    time.cost = 5;
    expect(await look()).toBe(true);
    const retreats: number[] = [];
    for (let round = 0; round < 8; round++) {
      const start = time.now;
      while (governor.pooled) time.now += 1;
      retreats.push(time.now - start);
      expect(await look()).toBe(true);
    }
    expect(retreats).toEqual([2, 8, 32, 128, 512, 2048, 5000, 5000]);
    while (governor.pooled) time.now += 1;
    time.cost = 0.01;
    for (let calls = 0; calls < 64; calls++) expect(await look()).toBe(true);
    time.cost = 5;
    expect(await look()).toBe(true);
    time.now += 2;
    expect(await look()).toBe(true);
  });
});
