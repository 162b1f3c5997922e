import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { mkdir, mkdtemp, open as openHandle, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@stowage/testing";
import { open as openRaw } from "lmdb";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openFile, openTables } from "./environment.ts";
import { translate } from "./errors.ts";
import { checkPages } from "./head.ts";

import type { LmdbOptions, LmdbStorage } from "./lmdb-storage.ts";
import { lmdbStorage } from "./lmdb-storage.ts";
import type { Database, RootDatabase } from "./native.ts";
import { transact } from "./native.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const noise = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(size));
const text = (value: Uint8Array | undefined): string => Buffer.from(value!).toString();

/** A path in a folder that goes when the test is over. */
async function freshPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-lmdb-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "data.mdb");
}

function open(path: string, options: Omit<LmdbOptions, "path"> = {}): LmdbStorage {
  const storage = lmdbStorage({ path, ...options }) as LmdbStorage;
  onTestFinished(() => storage.close());
  return storage;
}

/** What the index of expiries holds. */
async function indexed(path: string): Promise<number> {
  const root = openFile(path);
  const found = [...openTables(root, "entries").expiries.getKeys({ start: new Uint8Array([0]) })].length;
  await root.close();
  return found;
}

describe("writes of one turn", () => {
  test("share one transaction, and each is answered for itself", async () => {
    const storage = open(await freshPath());
    await storage.put("taken", bytes("1"));
    const before = storage.details().stats["transactions"]!;
    const results = await Promise.allSettled([
      ...Array.from({ length: 50 }, (_, index) => storage.put(`key${index}`, bytes("x"))),
      storage.put("taken", bytes("2"), { ifNoneMatch: "*" }),
      storage.delete("key7"),
    ]);
    expect(storage.details().stats["transactions"]).toBe(before + 1);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(results[50]).toMatchObject({ reason: { code: "precondition-failed", operation: "put", key: "taken" } });
    expect(await storage.has("key7")).toBe(false);
  });

  test("do not keep timers from running, however many there are", async () => {
    const storage = open(await freshPath());
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    for (let index = 0; index < 300; index++) await storage.put("key", bytes(String(index)));
    for (let index = 0; index < 5_000; index++) await storage.get("key");
    clearInterval(counting);
    expect(turns).toBeGreaterThan(5);
  });
});

test("values of every size come back whole, beside each other and after the file has grown", async () => {
  const path = await freshPath();
  const storage = open(path);
  const values = [0, 1, 4_000, 40_000, 1_000_000, 20_000_000].map((size) => [`key${size}`, noise(size)] as const);
  for (const [key, value] of values) await storage.put(key, value, { metadata: { size: String(value.byteLength) } });
  for (const reader of [storage, open(path)]) {
    for (const [key, value] of values) {
      const entry = await reader.getEntry(key);
      expect(Buffer.compare(entry!.value, value)).toBe(0);
      expect(entry).toMatchObject({ size: value.byteLength, metadata: { size: String(value.byteLength) } });
    }
    expect((await reader.list({ info: true })).entries.map(({ key, size }) => `${key} ${size}`)).toEqual(
      values.map(([key, { byteLength }]) => `${key} ${byteLength}`).toSorted(),
    );
  }
});

describe("expiry", () => {
  test("leaves nothing behind of what expired, was replaced or was removed", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock });
    await storage.put("expires", bytes("1"), { ttl: 1_000 });
    await storage.put("kept", bytes("1"), { ttl: 1_000 });
    await storage.put("kept", bytes("2"));
    await storage.put("removed", bytes("1"), { ttl: 1_000 });
    await storage.delete("removed");
    await clock.advance(1_000);
    expect(await storage.get("expires")).toBeUndefined();
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["kept"]);
    await storage.put("other", bytes("1"));
    await storage.close();
    expect(await indexed(path)).toBe(0);
  });

  test("is swept some at a time, until nothing is left", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock });
    const options = { ttl: 1_000 };
    await storage.batch(Array.from({ length: 350 }, (_, index) => ({ type: "put", key: `key${index}`, value: bytes("1"), options })));
    await clock.advance(1_000);
    const transactions = (): number => storage.details().stats["transactions"]!;
    const before = transactions();
    await storage.put("other", bytes("1"));
    await expect.poll(transactions).toBe(before + 4);
    await storage.close();
    expect(await indexed(path)).toBe(0);
    expect((await open(path, { clock }).list({ info: true })).entries).toHaveLength(1);
  });
});

describe("one file for several", () => {
  test("keeps the tables of two storages apart", async () => {
    const path = await freshPath();
    const users = open(path, { table: "users" });
    const images = open(path, { table: "images" });
    await Promise.all([users.put("a", bytes("user")), images.put("a", bytes("image"))]);
    await images.clear();
    expect(text(await users.get("a"))).toBe("user");
    expect(await images.get("a")).toBeUndefined();
  });

  test("a read sees what another process acknowledged, in the very turn in which it says so", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("key", bytes("0"));
    const other = fork(join(import.meta.dirname, "testing", "counter.ts"), [path], {
      execArgv: ["--conditions=@stowage/source", "--no-warnings"],
    });
    onTestFinished(() => void other.kill("SIGKILL"));
    for (let round = 1; round <= 50; round++) {
      expect(text(await storage.get("key"))).toBe(String(round - 1));
      const answered = once(other, "message");
      other.send(round);
      await answered;
      expect(text(await storage.get("key"))).toBe(String(round));
    }
  });
});

describe("opening", () => {
  test("makes the file and its folder", async () => {
    const storage = open(join(await freshPath(), "..", "deep", "er", "data.mdb"));
    await storage.put("a", bytes("1"));
    expect(await storage.has("a")).toBe(true);
  });

  test.each([
    ["no database", Buffer.from("hello, this is a text file\n".repeat(500)), "corrupt"],
    ["shorter than a head", Buffer.from("LMDB"), "corrupt"],
    ["zeros", Buffer.alloc(8192), "corrupt"],
    ["noise", Buffer.alloc(65_536, 0x55), "corrupt"],
  ])("refuses what is %s, and leaves it as it is", async (_, content, code) => {
    const path = await freshPath();
    await writeFile(path, content);
    await expect(open(path).get("a")).rejects.toMatchObject({ code, storage: "lmdb" });
    expect(Buffer.compare(await readFile(path), content)).toBe(0);
  });

  test("refuses a folder, an LMDB of another version, and a database whose roots are damaged or cut off", async () => {
    const folder = await freshPath();
    await mkdir(folder);
    await expect(open(folder).get("a")).rejects.toMatchObject({ code: "config" });
    const path = await freshPath();
    const storage = open(path);
    await storage.batch(Array.from({ length: 500 }, (_, index) => ({ type: "put", key: `key${index}`, value: noise(200) })));
    await storage.close();
    const content = await readFile(path);
    const damages: [(content: Buffer) => Buffer, string][] = [
      [(copy) => copy.fill(9, 28, 29), "unsupported"],
      [(copy) => copy.fill(0x55, 4096 + 24, 4096 + 28), "corrupt"],
      [(copy) => copy.fill(0x55, 8192), "corrupt"],
      [(copy) => copy.subarray(0, 8192), "corrupt"],
    ];
    for (const [damage, code] of damages) {
      const damaged = damage(Buffer.from(content));
      await writeFile(path, damaged);
      await expect(open(path).get("key1")).rejects.toMatchObject({ code });
      expect(Buffer.compare(await readFile(path), damaged)).toBe(0);
    }
    await writeFile(path, content);
    expect(await open(path).has("key1")).toBe(true);
  });

  test("finds nothing wrong with a file in which pages are used anew while it looks, but with one that stays as it is", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("a", bytes("1"));
    const before = await readFile(path);
    await storage.put("a", bytes("2"));
    const after = await readFile(path);
    /** A file in which the first root is another page by the time it is read: after both heads. */
    const changing = (then: Buffer): Parameters<typeof checkPages>[0] => {
      let reads = 0;
      const read = async (buffer: Buffer, _: number, length: number, position: number): Promise<object> => {
        reads++;
        if (reads === 3) buffer.fill(0xff);
        else (reads < 3 ? before : then).copy(buffer, 0, position, position + length);
        return { buffer, bytesRead: length };
      };
      return { read } as unknown as Parameters<typeof checkPages>[0];
    };
    await checkPages(changing(after));
    await expect(checkPages(changing(before))).rejects.toMatchObject({ code: "corrupt" });
  });

  test("puts the names of the file, and of the folders that it made, on the disk", async () => {
    const top = join(await freshPath(), "..");
    const probe = await openHandle(top, "r");
    const synced: number[] = [];
    const sync = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, "sync").mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
    });
    onTestFinished(() => sync.mockRestore());
    await probe.close();
    await open(join(top, "deep", "er", "data.mdb")).put("a", bytes("1"));
    for (const folder of [top, join(top, "deep"), join(top, "deep", "er")]) expect(synced).toContain((await stat(folder)).ino);
  });

  test("refuses the database of another program and of a newer version, and leaves them as they are", async () => {
    for (const [key, code] of [
      ["theirs", "config"],
      ["stowage:format", "unsupported"],
    ] as const) {
      const path = await freshPath();
      const theirs = openRaw({ path, noSubdir: true, encoding: "binary", keyEncoding: "binary", overlappingSync: false });
      theirs.putSync(Buffer.from(key), Buffer.from([99]));
      await theirs.close();
      const before = await readFile(path);
      await expect(open(path).put("a", bytes("1"))).rejects.toMatchObject({ code });
      expect(Buffer.compare(await readFile(path), before)).toBe(0);
    }
  });

  test("takes an empty file, as some tools make it", async () => {
    const path = await freshPath();
    await writeFile(path, "");
    const storage = open(path);
    await storage.put("a", bytes("1"));
    expect(await storage.has("a")).toBe(true);
  });

  test("that failed is tried again by the next call", async () => {
    const path = await freshPath();
    await writeFile(path, "no database at all");
    const storage = open(path);
    await expect(storage.put("a", bytes("1"))).rejects.toMatchObject({ code: "corrupt" });
    await rm(path);
    await storage.put("a", bytes("1"));
    expect(await storage.has("a")).toBe(true);
  });

  test.each([
    [{ path: "" }, "path"],
    [{ path: "a\0b" }, "path"],
    [{ path: "a", table: "a b" }, "table"],
    [{ path: "a", table: "a.expiries" }, "table"],
    [{ path: "a", tabel: "b" }, 'did you mean "table"'],
    [{}, "path"],
  ])("refuses the options %j", (options, message) => {
    expect(() => lmdbStorage(options as LmdbOptions)).toThrow(message);
  });
});

describe("errors of LMDB", () => {
  const failed = (code: unknown): Error => Object.assign(new Error("failed"), { code });

  test.each([
    [-30792, "full", "none"],
    [28, "full", "none"],
    ["ENOSPC", "full", "none"],
    [-30796, "corrupt", "none"],
    [5, "unavailable", "unknown"],
    [-30795, "unavailable", "unknown"],
    [22, "unavailable", "none"],
    [-1, "internal", "none"],
  ])("with the code %j are %s, outcome %s", (code, expected, outcome) => {
    expect(translate(failed(code), "put", "a")).toMatchObject({ code: expected, outcome, operation: "put", key: "a", storage: "lmdb" });
  });

  test("are all that is translated: every other error stays itself", () => {
    for (const error of [new Error("theirs"), new TypeError("theirs"), AbortSignal.abort().reason, "text"]) {
      expect(translate(error, "put", "a")).toBe(error);
    }
  });
});

describe("a transaction", () => {
  const damaged = Object.assign(new Error("reserved freelist had a data entry with zero-size"), { code: -30782 });

  /** A database, and what makes transactions fail at their end, when all of their work is done. */
  async function failing(error: Error, times: number): Promise<{ root: RootDatabase; entries: Database; works: () => number }> {
    const root = openFile(await freshPath());
    onTestFinished(() => root.close());
    let works = 0;
    const run = root.transactionSync.bind(root);
    root.transactionSync = (work) =>
      run(() => {
        work();
        if (works++ < times) throw error;
      });
    return { root, entries: openTables(root, "entries").entries, works: () => works };
  }

  test("that LMDB undid because it took its free pages for damaged is made again", async () => {
    const { root, entries, works } = await failing(damaged, 1);
    transact(root, () => entries.put(`key${works()}`, bytes("x")));
    expect([...entries.getKeys({ start: "a" })]).toEqual(["key1"]);
  });

  test("that LMDB undoes again and again is an error, and nothing is there", async () => {
    const { root, entries, works } = await failing(damaged, Infinity);
    expect(() => transact(root, () => entries.put("key", bytes("x")))).toThrow(damaged);
    expect(works()).toBe(3);
    expect([...entries.getKeys({ start: "a" })]).toEqual([]);
  });

  test("that failed for another reason is not made again", async () => {
    const error = Object.assign(new Error("No space left on device"), { code: 28 });
    const { root, entries, works } = await failing(error, Infinity);
    expect(() => transact(root, () => entries.put("key", bytes("x")))).toThrow(error);
    expect(works()).toBe(1);
  });
});

test("lists and clears under texts that are longer than any key", async () => {
  const storage = open(await freshPath());
  const keys = ["a".repeat(1024), `${"a".repeat(1023)}b`, "b", "é".repeat(512)];
  for (const key of keys) await storage.put(key, bytes("1"));
  for (const letter of ["a", "é", "漢", "😀"]) {
    for (const count of [1025, 2_000, 9_000, 100_000]) {
      const long = letter.repeat(count);
      expect((await storage.list({ prefix: long })).entries).toEqual([]);
      await storage.clear({ prefix: long });
      const behind = letter === "a" ? keys.slice(1) : [];
      expect((await storage.list({ startAfter: long })).entries.map(({ key }) => key)).toEqual(behind);
      expect((await storage.list({ cursor: `key:${long}` })).entries.map(({ key }) => key)).toEqual(behind);
    }
  }
  expect((await storage.list({ startAfter: `${"a".repeat(1023)}é` })).entries.map(({ key }) => key)).toEqual(keys.slice(2));
});

test("a record that another program put there is an error, not a value", async () => {
  const path = await freshPath();
  await open(path).put("a", bytes("1"));
  const root = openFile(path);
  onTestFinished(() => root.close());
  const { entries } = openTables(root, "entries");
  root.transactionSync(() => {
    entries.put("strange", Buffer.from([1, 3, 0]));
    entries.put("newer", Buffer.from([9, 0, 0, 0]));
    entries.put("empty", new Uint8Array(0));
  });
  for (const [key, code] of [
    ["strange", "corrupt"],
    ["newer", "unsupported"],
    ["empty", "corrupt"],
  ]) {
    await expect(open(path).get(key!)).rejects.toMatchObject({ code, key });
    await expect(open(path).head(key!)).rejects.toMatchObject({ code, key });
  }
});
