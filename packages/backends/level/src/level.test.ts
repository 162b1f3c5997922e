import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { mkdir, mkdtemp, open as openHandle, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@stowage/testing";
import { ClassicLevel } from "classic-level";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openDatabase } from "./database.ts";
import { translate } from "./errors.ts";
import type { LevelOptions, LevelStorage } from "./level-storage.ts";
import { levelStorage } from "./level-storage.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const noise = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(size));
const text = (value: Uint8Array | undefined): string => Buffer.from(value!).toString();

/** A folder that is not there yet, in one that goes when the test is over. */
async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-level-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "data");
}

function open(directory: string, options: Omit<LevelOptions, "directory"> = {}): LevelStorage {
  const storage = levelStorage({ directory, durability: "process", ...options }) as LevelStorage;
  onTestFinished(() => storage.close());
  return storage;
}

/** Everything in a folder, by name. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await readFile(join(folder, name))).toString("hex")])));
}

/** All keys that LevelDB holds, the index of expiries among them. */
async function rawKeys(directory: string): Promise<string[]> {
  const database = await openDatabase(directory, 1024 * 1024);
  const keys = await database.keys().all();
  await database.close();
  return keys;
}

describe("writes of one turn", () => {
  test("share one batch, and each is answered by what is there after those before it", async () => {
    const storage = open(await freshFolder());
    await storage.put("taken", bytes("1"));
    const before = storage.details().stats["transactions"]!;
    const results = await Promise.allSettled([
      ...Array.from({ length: 50 }, (_, index) => storage.put(`key${index}`, bytes("x"))),
      storage.put("taken", bytes("2"), { ifNoneMatch: "*" }),
      storage.put("new", bytes("first"), { ifNoneMatch: "*" }),
      storage.put("new", bytes("second"), { ifNoneMatch: "*" }),
      storage.delete("key7"),
    ]);
    expect(storage.details().stats["transactions"]).toBe(before + 1);
    expect(results.flatMap(({ status }, index) => (status === "rejected" ? [index] : []))).toEqual([50, 52]);
    expect(results[52]).toMatchObject({ reason: { code: "precondition-failed", operation: "put", key: "new" } });
    expect(text(await storage.get("new"))).toBe("first");
    expect(await storage.has("key7")).toBe(false);
  });

  test("do not keep timers from running, however many there are", async () => {
    const storage = open(await freshFolder());
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    for (let index = 0; index < 500; index++) await storage.put("key", bytes(String(index)));
    for (let index = 0; index < 5_000; index++) await storage.get("key");
    clearInterval(counting);
    expect(turns).toBeGreaterThan(5);
  });
});

test("keys of letters of several bytes are told apart from what they begin with", async () => {
  const storage = open(await freshFolder());
  const keys = ["a", "é", "漢", "😀"].flatMap((letter) => [1, 5, 21, 22, 23, 24, 60, 250].map((count) => letter.repeat(count)));
  await storage.put("a", bytes("a"));
  expect(text(await storage.get("a"))).toBe("a");
  for (const key of keys) await storage.put(key, bytes(key));
  for (const key of keys) expect(text(await storage.get(key))).toBe(key);
  for (const key of keys) expect(await storage.has(`${key}漢`)).toBe(keys.includes(`${key}漢`));
});

test("values of every size come back whole, also after the database was opened anew", async () => {
  const directory = await freshFolder();
  const values = [0, 1, 4_000, 100_000, 10_000_000].map((size) => [`key${size}`, noise(size)] as const);
  const storage = open(directory);
  for (const [key, value] of values) await storage.put(key, value);
  await storage.close();
  const again = open(directory);
  for (const [key, value] of values) expect(Buffer.compare((await again.get(key))!, value)).toBe(0);
});

describe("expiry", () => {
  test("leaves nothing behind of what expired, was replaced or was removed", async () => {
    const directory = await freshFolder();
    const clock = new VirtualClock();
    const storage = open(directory, { clock });
    await storage.put("expires", bytes("1"), { ttl: 1_000 });
    await Promise.all([storage.put("kept", bytes("1"), { ttl: 1_000 }), storage.put("kept", bytes("2"))]);
    await storage.put("removed", bytes("1"), { ttl: 1_000 });
    await storage.delete("removed");
    await clock.advance(1_000);
    expect(await storage.get("expires")).toBeUndefined();
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["kept"]);
    await storage.put("other", bytes("1"));
    await storage.close();
    expect(await rawKeys(directory)).toEqual(["kept", "other"]);
  });

  test("goes on after the database was opened anew, some entries at a time", async () => {
    const directory = await freshFolder();
    const clock = new VirtualClock();
    const storage = open(directory, { clock });
    const options = { ttl: 1_000 };
    await storage.batch(Array.from({ length: 350 }, (_, index) => ({ type: "put", key: `key${index}`, value: bytes("1"), options })));
    await storage.close();
    await clock.advance(1_000);
    const again = open(directory, { clock });
    expect((await again.list()).entries).toEqual([]);
    await expect.poll(() => again.details().stats["transactions"]).toBe(4);
    await again.close();
    expect(await rawKeys(directory)).toEqual([]);
  });
});

describe("the index of expiries", () => {
  test("is in no list, and stays when everything before the first letter is cleared", async () => {
    const clock = new VirtualClock();
    const storage = open(await freshFolder(), { clock });
    await storage.put("\u0001", bytes("1"), { ttl: 1_000 });
    await storage.put("a", bytes("1"), { ttl: 2_000 });
    for (const info of [false, true]) {
      for (const prefix of ["\0", "\0\0", "\0a"]) expect((await storage.list({ prefix, info })).entries).toEqual([]);
      for (const startAfter of ["\0", "\0\u0001"]) {
        expect((await storage.list({ startAfter, info })).entries.map(({ key }) => key)).toEqual(["\u0001", "a"]);
      }
    }
    await storage.clear({ prefix: "\0" });
    await clock.advance(1_000);
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["a"]);
  });
});

describe("a write whose sync failed although it was made", () => {
  /** As LevelDB says of a full disk, or a quota, that is found as late as this. */
  const late = (): Error => Object.assign(new Error("IO error: /x/000003.log: No space left on device"), { code: "LEVEL_IO_ERROR" });

  /** From each call of what it answers on, the next write is made, and says that it failed. */
  function failingWrites(): () => void {
    const { put, batch } = ClassicLevel.prototype;
    let failing = false;
    const made = async (written: Promise<void>): Promise<void> => {
      await written;
      if (!failing) return;
      failing = false;
      throw late();
    };
    vi.spyOn(ClassicLevel.prototype, "put").mockImplementation(function (this: ClassicLevel, ...call: unknown[]) {
      return made(Reflect.apply(put, this, call) as Promise<void>);
    });
    vi.spyOn(ClassicLevel.prototype, "batch").mockImplementation(function (this: ClassicLevel) {
      const changes = Reflect.apply(batch, this, []) as unknown as { write: (options?: object) => Promise<void> };
      const write = changes.write.bind(changes);
      changes.write = (options) => made(write(options));
      return changes as never;
    });
    onTestFinished(() => void vi.restoreAllMocks());
    return () => {
      failing = true;
    };
  }

  const unknown = { code: "full", outcome: "unknown", storage: "level" };

  test("has an unknown outcome, alone and among others, of which none is made once more", async () => {
    const storage = open(await freshFolder());
    await storage.put("a", bytes("old"));
    const failNext = failingWrites();
    failNext();
    await expect(storage.put("a", bytes("new"))).rejects.toMatchObject(unknown);
    failNext();
    const results = await Promise.allSettled([storage.put("a", bytes("newer")), storage.put("z", bytes("mine"), { ifNoneMatch: "*" })]);
    expect(results).toMatchObject([{ reason: unknown }, { reason: unknown }]);
    failNext();
    await expect(storage.delete("a")).rejects.toMatchObject(unknown);
    failNext();
    const operations = [{ type: "put", key: "b", value: bytes("1") }] as const;
    await expect(storage.batch(operations, { atomic: true })).rejects.toMatchObject(unknown);
    await storage.put("next", bytes("1"));
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["b", "next", "z"]);
  });

  test("is swept when it has expired", async () => {
    const directory = await freshFolder();
    const clock = new VirtualClock();
    const storage = open(directory, { clock });
    await storage.put("a", bytes("1"));
    failingWrites()();
    await expect(storage.put("expires", bytes("1"), { ttl: 1_000 })).rejects.toMatchObject(unknown);
    await storage.put("b", bytes("1"));
    await clock.advance(1_000);
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["a", "b"]);
    await storage.put("c", bytes("1"));
    await storage.close();
    expect(await rawKeys(directory)).toEqual(["a", "b", "c"]);
  });
});

describe("opening", () => {
  test("by a second storage, or a second process, is unavailable and says why; when the first is closed it works", async () => {
    const directory = await freshFolder();
    const first = open(directory);
    await first.put("a", bytes("1"));
    const second = open(directory);
    const refused = { code: "unavailable", retryable: true, message: expect.stringContaining("in use already") as string };
    await expect(second.get("a")).rejects.toMatchObject(refused);
    const other = fork(join(import.meta.dirname, "testing", "reader.ts"), [directory], {
      execArgv: ["--conditions=@stowage/source", "--no-warnings"],
    });
    expect((await once(other, "message"))[0]).toMatchObject({ code: "unavailable" });
    await first.close();
    expect(text(await second.get("a"))).toBe("1");
  });

  test("refuses a folder of something else, and leaves it as it is", async () => {
    const strange: Record<string, string>[] = [
      { "photo.jpg": "x" },
      { CURRENT: "MANIFEST-000002\n", "MANIFEST-000002": "theirs" },
      { STOWAGE: "something else" },
    ];
    for (const files of strange) {
      const folder = await freshFolder();
      await mkdir(folder);
      for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
      const before = await contentOf(folder);
      await expect(open(folder).put("a", bytes("1"))).rejects.toMatchObject({ code: "config" });
      expect(await contentOf(folder)).toEqual(before);
    }
  });

  test("refuses a LevelDB of another program, a newer version and a file, and leaves them as they are", async () => {
    const folder = await freshFolder();
    const theirs = new ClassicLevel(folder);
    await theirs.put("a", "1");
    await theirs.close();
    const before = await contentOf(folder);
    await expect(open(folder).get("a")).rejects.toMatchObject({ code: "config" });
    expect(await contentOf(folder)).toEqual(before);

    const newer = await freshFolder();
    await mkdir(newer);
    await writeFile(join(newer, "STOWAGE"), "stowage level 2\n");
    await expect(open(newer).get("a")).rejects.toMatchObject({ code: "unsupported" });
    expect(await readdir(newer)).toEqual(["STOWAGE"]);

    const file = await freshFolder();
    await writeFile(file, "text");
    await expect(open(file).get("a")).rejects.toMatchObject({ code: "config" });
  });

  test("finds what is damaged: a manifest, a missing CURRENT, a table", async () => {
    const directory = await freshFolder();
    const storage = open(directory);
    await storage.batch(["a", "b"].map((key) => ({ type: "put", key, value: noise(20_000) })));
    await storage.close();
    const database = await openDatabase(directory, 1024 * 1024);
    await database.compactRange("a", "z"); // from the log into a table
    await database.close();
    const names = await readdir(directory);
    const damaged = async (name: string, damage: (content: Buffer) => Buffer | undefined): Promise<unknown> => {
      const path = join(directory, name);
      const content = await readFile(path);
      const left = damage(Buffer.from(content));
      if (left === undefined) await rm(path);
      else await writeFile(path, left);
      const broken = open(directory);
      const failed = await broken.getEntries(["a", "b"]).catch((error: unknown) => error);
      await broken.close();
      await writeFile(path, content);
      return failed;
    };
    const manifest = names.find((name) => name.startsWith("MANIFEST"))!;
    expect(await damaged(manifest, (content) => content.fill(0x55))).toMatchObject({ code: "corrupt" });
    expect(await damaged("CURRENT", () => undefined)).toMatchObject({ code: "corrupt" });
    expect(await damaged("CURRENT", () => Buffer.from("nonsense"))).toMatchObject({ code: "corrupt" });
    const table = names.find((name) => name.endsWith(".ldb"))!;
    expect(await damaged(table, (content) => content.fill(0x55))).toMatchObject({ code: "corrupt" });
  });

  test("puts the names of the folders that it made on the disk", async () => {
    const top = join(await freshFolder(), "..");
    const probe = await openHandle(top, "r");
    const synced: number[] = [];
    const sync = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, "sync").mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
    });
    onTestFinished(() => sync.mockRestore());
    await probe.close();
    await open(join(top, "deep", "er")).put("a", bytes("1"));
    for (const folder of [top, join(top, "deep"), join(top, "deep", "er")]) expect(synced).toContain((await stat(folder)).ino);
  });

  test("goes on where an earlier one ended before its mark was written", async () => {
    const directory = await freshFolder();
    await mkdir(directory);
    await writeFile(join(directory, "STOWAGE"), "");
    const storage = open(directory);
    await storage.put("a", bytes("1"));
    expect(await storage.has("a")).toBe(true);
  });

  test.each([
    [{ directory: "" }, "directory"],
    [{ directory: "a", durability: "disk" }, "durability"],
    [{ directory: "a", cacheSize: -1 }, "cacheSize"],
    [{ directory: "a", path: "b" }, "path"],
    [{}, "directory"],
  ])("refuses the options %j", (options, message) => {
    expect(() => levelStorage(options as LevelOptions)).toThrow(message);
  });
});

describe("errors of LevelDB", () => {
  const failed = (code: string, message = "failed"): Error => Object.assign(new Error(message), { code });

  test.each([
    [failed("LEVEL_IO_ERROR", "IO error: /x/000003.log: No space left on device"), "full", "unknown"],
    [failed("LEVEL_IO_ERROR", "IO error: /x/000003.log: Input/output error"), "unavailable", "unknown"],
    [failed("LEVEL_IO_ERROR", "IO error: /x/LOCK: Permission denied"), "denied", "unknown"],
    [failed("LEVEL_CORRUPTION"), "corrupt", "none"],
    [failed("LEVEL_DATABASE_NOT_OPEN"), "unavailable", "none"],
    [Object.assign(failed("LEVEL_DATABASE_NOT_OPEN"), { cause: failed("LEVEL_IO_ERROR", "x: Disk quota exceeded") }), "full", "none"],
    [failed("LEVEL_STRANGE"), "internal", "none"],
    [failed("ENOSPC"), "full", "none"],
  ])("%s: %s, outcome %s", (error, code, outcome) => {
    expect(translate(error, "put", "a")).toMatchObject({ code, outcome, operation: "put", key: "a", storage: "level", cause: error });
  });

  test("are all that is translated: every other error stays itself", () => {
    for (const error of [new Error("theirs"), new TypeError("theirs"), AbortSignal.abort().reason, "text"]) {
      expect(translate(error, "put", "a")).toBe(error);
    }
  });
});

test.each(["alone", "while something expires"])("a record that another program put there is an error, not a value: %s", async (when) => {
  const directory = await freshFolder();
  await open(directory).close();
  const storage = open(directory);
  await storage.put("a", bytes("1"));
  await storage.close();
  const database = await openDatabase(directory, 1024 * 1024);
  await database.batch([
    { type: "put", key: "newer", value: new Uint8Array([9, 0, 0, 0]) },
    { type: "put", key: "empty", value: new Uint8Array(0) },
    { type: "put", key: "newest", value: new Uint8Array([9, 1, 0, 0]) },
    { type: "put", key: "other", value: new Uint8Array([9, 1, 0, 0]) },
  ]);
  await database.close();
  const again = open(directory);
  if (when !== "alone") await again.put("expires", bytes("1"), { ttl: 1_000_000 });
  for (const [key, code] of [
    ["newer", "unsupported"],
    ["empty", "corrupt"],
  ] as const) {
    await expect(again.get(key)).rejects.toMatchObject({ code, key });
    await expect(again.put(key, bytes("1"), { ifNoneMatch: "*" })).rejects.toMatchObject({ code });
    await again.put(key, bytes("mended"));
    expect(text(await again.get(key))).toBe("mended");
  }
  await again.delete("newest");
  await again.clear();
  expect((await again.list()).entries).toEqual([]);
});
