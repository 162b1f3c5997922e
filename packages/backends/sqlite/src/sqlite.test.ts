import { randomBytes } from "node:crypto";
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { ByteSource, ByteStorage, StorageError } from "@stowage/core";
import { findLayer, json, stack } from "@stowage/core";
import { VirtualClock } from "@stowage/testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { SqliteOptions } from "./options.ts";
import { chunkSize } from "./schema.ts";
import { SqliteStorage, sqliteStorage } from "./sqlite-storage.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const noise = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(size));

/** A path in a folder that goes when the test is over. */
async function freshPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-sqlite-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "data.db");
}

/** A storage that is closed when the test is over; without syncs unless it asks for them. */
function open(path: string, options: Omit<SqliteOptions, "path"> = {}): SqliteStorage {
  const storage = sqliteStorage({ path, durability: "process", ...options }) as SqliteStorage;
  onTestFinished(() => storage.close());
  return storage;
}

/** One more connection to a database, as another process has it. */
function connect(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  onTestFinished(() => database.close());
  return database;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** A source that gives some chunks, and one more when it is told to go on. */
function pausedSource(chunks: number, last: Uint8Array<ArrayBuffer>): { readonly source: ByteSource; goOn(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let index = 0; index < chunks; index++) yield noise(chunkSize);
    await promise;
    yield last;
  };
  return { source: source(), goOn: resolve };
}

const count = (database: DatabaseSync, table: string): number =>
  (database.prepare(`SELECT count(*) AS count FROM "${table}"`).get() as { count: number }).count;

async function streamed(storage: ByteStorage, key: string, options?: { start?: number; end?: number }): Promise<Uint8Array> {
  const entry = await storage.read(key, options);
  return new Uint8Array(await new Response(entry!.value).arrayBuffer());
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
    expect(results.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(1);
    expect(results[50]).toMatchObject({ reason: { code: "precondition-failed", operation: "put", key: "taken" } });
    expect(await storage.has("key7")).toBe(false);
  });

  test("of which one cannot be made leave the others as they are asked", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("a", bytes("1"));
    const other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER broken BEFORE INSERT ON entries WHEN NEW.key = CAST('bad' AS BLOB) BEGIN SELECT RAISE(ABORT, 'no'); END`);
    other.close();
    const results = await Promise.allSettled([storage.put("b", bytes("2")), storage.put("bad", bytes("3")), storage.put("c", bytes("4"))]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "internal", outcome: "none", key: "bad", storage: "sqlite" } });
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["a", "b", "c"]);
  });

  test("leave nothing of what was there, however many they are", async () => {
    const path = await freshPath();
    const storage = open(path, { clock: new VirtualClock() });
    const keys = Array.from({ length: 40 }, (_, index) => `key${String(index).padStart(2, "0")}`);
    await storage.put(keys[3]!, bytes("old"), { ttl: 1_000 });
    await storage.put(keys[17]!, bytes("old"), { metadata: { colour: "red" } });
    await storage.put(keys[20]!, noise(1024 * 1024));
    await Promise.all([...keys, keys[39]!].map((key, index) => storage.put(key, bytes(String(index)))));
    const expected = keys.map((key, index) => ({ key, value: bytes(index === 39 ? "40" : String(index)) }));
    const entries = await storage.getEntries(keys);
    expect(entries.map((entry) => ({ key: entry!.key, value: entry!.value }))).toEqual(expected);
    expect(entries.filter((entry) => entry!.expiresAt !== undefined || entry!.metadata !== undefined)).toEqual([]);
    await storage.close();
    const database = new DatabaseSync(path, { readOnly: true });
    const { bodies } = database.prepare("SELECT count(body) AS bodies FROM entries").get() as { bodies: number };
    expect(bodies).toBe(0);
    database.close();
  });

  test("do not keep timers from running, however many there are", async () => {
    const storage = open(await freshPath());
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    for (let index = 0; index < 2_000; index++) await storage.put("key", bytes(String(index)));
    for (let index = 0; index < 2_000; index++) await storage.get("key");
    clearInterval(counting);
    expect(turns).toBeGreaterThan(5);
  });
});

describe("large values", () => {
  const size = 3 * 1024 * 1024 + 17;

  test("come back whole, by ranges and by streams, whichever way they came", async () => {
    const storage = open(await freshPath());
    const value = noise(size);
    await storage.put("put", value);
    await storage.write("written", new Blob([value]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>);
    for (const key of ["put", "written"]) {
      expect(Buffer.compare((await storage.get(key))!, value)).toBe(0);
      expect(Buffer.compare(await streamed(storage, key), value)).toBe(0);
      expect(Buffer.compare(await streamed(storage, key, { start: 262_143, end: 262_146 }), value.subarray(262_143, 262_146))).toBe(0);
      expect(Buffer.compare(await streamed(storage, key, { start: -5 }), value.subarray(-5))).toBe(0);
      expect((await storage.head(key))?.size).toBe(size);
    }
  });

  test("stay of one version in a stream, whatever is written and swept meanwhile", async () => {
    const storage = open(await freshPath());
    const value = noise(size);
    await storage.put("key", value);
    const entry = await storage.read("key");
    const reader = entry!.value.getReader();
    const chunks = [(await reader.read()).value!];
    await storage.put("key", bytes("short"));
    await storage.flush();
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    for (let step = await reader.read(); !step.done; step = await reader.read()) chunks.push(step.value);
    expect(Buffer.compare(Buffer.concat(chunks), value)).toBe(0);
    expect(Buffer.from((await storage.get("key"))!).toString()).toBe("short");
  });

  test("leave no chunk behind when they are replaced, deleted, cleared or never finished", async () => {
    const path = await freshPath();
    const storage = open(path, { clock: new VirtualClock() });
    for (const key of ["replaced", "deleted", "cleared/a"]) await storage.put(key, noise(size));
    await storage.put("replaced", bytes("short"));
    await storage.delete("deleted");
    await storage.clear({ prefix: "cleared/" });
    const failing = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield noise(size);
      throw new Error("The source failed.");
    };
    await expect(storage.write("unfinished", failing())).rejects.toThrow("The source failed.");
    expect(await storage.get("unfinished")).toBeUndefined();
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    await storage.close();
    const database = new DatabaseSync(path, { readOnly: true });
    expect(count(database, "entries.chunks")).toBe(0);
    expect(count(database, "entries.hidden")).toBe(0);
    database.close();
  });

  test("that a process left unfinished are swept after a day, and those that still grow are not", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock });
    let finish = (): void => {};
    const paused = new Promise<void>((resolve) => (finish = resolve));
    const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield noise(600_000);
      await paused;
      yield noise(10);
    };
    const writing = storage.write("slow", source());
    while (!(await new Promise<boolean>((resolve) => setImmediate(() => resolve(storage.details().stats["changes"]! >= 2))))) {}
    const database = new DatabaseSync(path);
    onTestFinished(() => database.close());
    database.exec(`INSERT INTO "entries.hidden" (body, since) VALUES (1, ${clock.now() - 24 * 3_600_000})`);
    database.exec(`INSERT INTO "entries.chunks" (body, position, bytes) VALUES (1, 0, x'00')`);
    const other = open(path, { clock });
    await other.put("a", bytes("1"));
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(database.prepare(`SELECT count(*) AS count FROM "entries.hidden" WHERE body = 1`).get()).toEqual({ count: 0 });
    finish();
    await writing;
    expect((await storage.head("slow"))?.size).toBe(600_010);
  });

  test.each([
    ["a few", 3],
    ["many", 40],
  ])("of %s chunks that were taken for abandoned fail, and nothing of them is seen or stays", async (_, chunks) => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock });
    await storage.put("key", bytes("old"));
    const database = connect(path);
    const { source, goOn } = pausedSource(chunks, noise(chunkSize + 10));
    const writing = storage.write("key", source);
    await until(() => count(database, "entries.chunks") === chunks);
    await clock.advance(25 * 3_600_000);
    await storage.put("other", bytes("1")); // sweeps some of the chunks, or all
    goOn();
    await expect(writing).rejects.toMatchObject({ code: "conflict", outcome: "none", operation: "write", key: "key" });
    expect(Buffer.from((await storage.get("key"))!).toString()).toBe("old");
    await until(() => count(database, "entries.chunks") + count(database, "entries.hidden") === 0);
  });

  test("that lack a chunk are corrupt, not short", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("key", noise(size));
    const database = new DatabaseSync(path);
    database.exec(`DELETE FROM "entries.chunks" WHERE position = 3`);
    database.close();
    await expect(storage.get("key")).rejects.toMatchObject({ code: "corrupt", key: "key" });
    await expect(streamed(storage, "key")).rejects.toMatchObject({ code: "corrupt", key: "key" });
    expect(await streamed(storage, "key", { end: 10 })).toHaveLength(10);
  });
});

describe("what is not of the database", () => {
  test("stays as it is: the error of a source", async () => {
    const storage = open(await freshPath());
    const missing = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", syscall: "open", errno: -2 });
    const broken = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield noise(600_000);
      throw missing;
    };
    await expect(storage.write("key", broken())).rejects.toBe(missing);
    let opened = 0;
    const busy = Object.assign(new Error("The other database is locked."), { errcode: 5, code: "ERR_SQLITE_ERROR" });
    const failing = (): AsyncIterable<Uint8Array<ArrayBuffer>> => {
      opened++;
      throw busy;
    };
    await expect(storage.write("key", failing)).rejects.toBe(busy);
    expect(opened).toBe(1);
  });

  test("stays as it is: the reason of a signal", async () => {
    const path = await freshPath();
    const reason = Object.assign(new Error("socket hang up"), { code: "ECONNRESET", syscall: "read" });
    const options = { signal: AbortSignal.abort(reason) };
    const storage = open(path);
    for (const state of ["not open yet", "open"]) {
      const calls = {
        get: storage.get("key", options),
        getEntry: storage.getEntry("key", options),
        getEntries: storage.getEntries(["key"], options),
        head: storage.head("key", options),
        list: storage.list(options),
        put: storage.put("key", bytes("1"), options),
        delete: storage.delete("key", options),
        batch: storage.batch([{ type: "delete", key: "key" }], options),
        clear: storage.clear(options),
        read: storage.read("key", options),
        write: storage.write("key", new Blob(["1"]), options),
        flush: storage.flush(options),
      };
      for (const [operation, call] of Object.entries(calls)) {
        await expect(call, `${operation}, ${state}`).rejects.toBe(reason);
      }
      await storage.put("key", bytes("1"));
    }
  });
});

describe("opening", () => {
  test("makes the file and its folder", async () => {
    const path = join(await freshPath(), "..", "deep", "er", "data.db");
    const storage = open(path);
    await storage.put("a", bytes("1"));
    expect((await stat(path)).isFile()).toBe(true);
  });

  test.each([
    ["no database", Buffer.from("hello, this is a text file\n".repeat(20)), "corrupt"],
    ["shorter than a head", Buffer.from("SQLite"), "corrupt"],
    ["noise", Buffer.alloc(8192, 7), "corrupt"],
  ])("refuses what is %s, and leaves it as it is", async (_, content, code) => {
    const path = await freshPath();
    await writeFile(path, content);
    await expect(open(path).get("a")).rejects.toMatchObject({ code, storage: "sqlite" });
    expect(Buffer.compare(await readFile(path), content)).toBe(0);
  });

  test("refuses the database of another program, of another owner and of a newer version, and leaves them as they are", async () => {
    for (const [sql, code] of [
      ["CREATE TABLE theirs (a)", "config"],
      ["PRAGMA application_id = 7", "config"],
      ["PRAGMA application_id = 0x53544f57; PRAGMA user_version = 99", "unsupported"],
    ] as const) {
      const path = await freshPath();
      const database = new DatabaseSync(path);
      database.exec(`${sql}; CREATE TABLE kept (a)`);
      database.close();
      const before = await readFile(path);
      await expect(open(path).put("a", bytes("1"))).rejects.toMatchObject({ code });
      expect(Buffer.compare(await readFile(path), before)).toBe(0);
    }
  });

  test("refuses them too where only the log says so yet", async () => {
    for (const [sql, code] of [
      ["PRAGMA application_id = 7", "config"],
      ["CREATE TABLE theirs (a)", "config"],
      ["PRAGMA application_id = 0x53544f57; PRAGMA user_version = 99", "unsupported"],
    ] as const) {
      const path = await freshPath();
      const database = connect(path);
      database.exec(`PRAGMA journal_mode = WAL; ${sql}`);
      const schema = (): unknown =>
        ["application_id", "user_version", "schema_version"].map((name) => database.prepare(`PRAGMA ${name}`).get());
      const before = schema();
      await expect(open(path).put("a", bytes("1"))).rejects.toMatchObject({ code, storage: "sqlite" });
      expect(schema()).toEqual(before);
    }
  });

  test("refuses a folder", async () => {
    const path = await freshPath();
    await mkdir(path);
    await expect(open(path).get("a")).rejects.toMatchObject({ code: "config" });
  });

  test("takes an empty file, as some tools make it", async () => {
    const path = await freshPath();
    await writeFile(path, "");
    const storage = open(path);
    await storage.put("a", bytes("1"));
    expect(await storage.has("a")).toBe(true);
  });

  test("finds damage in the middle of a file", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.batch(Array.from({ length: 500 }, (_, index) => ({ type: "put" as const, key: `key${index}`, value: noise(200) })));
    await storage.close();
    const content = await readFile(path);
    content.fill(0x55, 4096, content.length);
    await writeFile(path, content);
    await expect(open(path).getEntries(["key1", "key250", "key499"])).rejects.toMatchObject({ code: "corrupt" });
  });

  test.each([
    [{ path: "" }, "path"],
    [{ path: "a\0b" }, "path"],
    [{ path: "a", table: "a b" }, "table"],
    [{ path: "a", table: 'a"; DROP TABLE x' }, "table"],
    [{ path: "a", table: "sqlite_cache" }, "table"],
    [{ path: "a", table: "SQLite_cache" }, "table"],
    [{ path: "a", durability: "disk" }, "durability"],
    [{ path: "a", cacheSize: -1 }, "cacheSize"],
    [{ path: "a", tabel: "b" }, 'did you mean "table"'],
    [{}, "path"],
  ])("refuses the options %j", (options, message) => {
    expect(() => sqliteStorage(options as SqliteOptions)).toThrow(message);
  });
});

describe("one file for several", () => {
  test("keeps the tables of two storages apart", async () => {
    const path = await freshPath();
    const users = open(path, { table: "users" });
    const images = open(path, { table: "images" });
    await Promise.all([users.put("a", bytes("user")), images.put("a", bytes("image"))]);
    await images.clear();
    expect(Buffer.from((await users.get("a"))!).toString()).toBe("user");
    expect(await images.get("a")).toBeUndefined();
  });

  test("refuses a table whose name differs from another one in case only, which SQLite takes for the same", async () => {
    const path = await freshPath();
    const first = open(path, { table: "Users" });
    await first.put("a", bytes("1"));
    await expect(open(path, { table: "users" }).get("a")).rejects.toMatchObject({ code: "invalid-option", storage: "sqlite" });
    await first.close();
    expect(await open(path, { table: "Users" }).has("a")).toBe(true);
  });

  test("tells which operations of a batch met a lock, and tries the others", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock, busyTimeout: 60 });
    await storage.put("a", bytes("1"));
    const other = connect(path);
    const operations = Array.from({ length: 10_000 }, (_, index) => ({ type: "put" as const, key: `key${index}`, value: bytes("x") }));
    let settled = false;
    const batch = storage.batch(operations).finally(() => (settled = true));
    batch.catch(() => {});
    await until(() => storage.details().stats["changes"]! > 1_000);
    other.exec("BEGIN IMMEDIATE");
    await until(() => clock.pending > 0);
    await clock.advance(90); // the next try may be as late
    other.exec("COMMIT");
    await until(() => {
      void clock.advance(10);
      return settled;
    });
    const refused = await batch.catch((error: unknown) => error as StorageError);
    expect(refused).toMatchObject({ code: "partial", outcome: "none", retryable: true });
    const failures = refused!.failures!;
    expect(failures).toHaveLength(1_000);
    for (const { index, key, error } of failures) {
      expect(key).toBe(operations[index]!.key);
      expect(error).toMatchObject({ code: "unavailable", outcome: "none", operation: "batch", key });
    }
    const failed = new Set(failures.map(({ key }) => key));
    const entries = await storage.getEntries(operations.map(({ key }) => key));
    expect(operations.filter((_, index) => entries[index] === undefined).map(({ key }) => key)).toEqual([...failed]);
  });

  test("says of a clear that met a lock midway that its outcome is unknown, and at its beginning that there is none", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock, busyTimeout: 60 });
    await storage.batch(Array.from({ length: 10_000 }, (_, index) => ({ type: "put", key: `key${index}`, value: bytes("x") })));
    const other = connect(path);
    const locked = async (clearing: Promise<void>): Promise<unknown> => {
      const settled = clearing.catch((failed: unknown) => failed);
      other.exec("BEGIN IMMEDIATE");
      await until(() => clock.pending > 0);
      await clock.advance(90); // the next try may be as late
      const error = await settled;
      other.exec("COMMIT");
      return error;
    };
    expect(await locked(storage.clear())).toMatchObject({ code: "unavailable", outcome: "none", operation: "clear" });
    const before = storage.details().stats["changes"]!;
    const clearing = storage.clear();
    clearing.catch(() => {});
    await until(() => storage.details().stats["changes"]! > before);
    expect(await locked(clearing)).toMatchObject({ code: "unavailable", outcome: "unknown", operation: "clear" });
  });

  test("lets a write wait for the lock of another connection without holding up the process, and gives up in time", async () => {
    const path = await freshPath();
    const storage = open(path, { busyTimeout: 60 });
    await storage.put("a", bytes("1"));
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    await expect(storage.put("a", bytes("2"))).rejects.toMatchObject({ code: "unavailable", retryable: true, outcome: "none" });
    clearInterval(counting);
    expect(turns).toBeGreaterThan(1);
    expect(Buffer.from((await storage.get("a"))!).toString()).toBe("1");
    const waiting = storage.put("a", bytes("3"));
    other.exec("COMMIT");
    await waiting;
    expect(Buffer.from((await storage.get("a"))!).toString()).toBe("3");
  });

  test("ends a write that waits for a lock by its signal, and does not make it later", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("a", bytes("1"));
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    const stop = new AbortController();
    const waiting = storage.put("a", bytes("2"), { signal: stop.signal });
    const reason = new Error("Enough.");
    setImmediate(() => stop.abort(reason));
    await expect(waiting).rejects.toBe(reason);
    other.exec("COMMIT");
    await storage.put("b", bytes("1"));
    expect(Buffer.from((await storage.get("a"))!).toString()).toBe("1");
  });
});

describe("expiry", () => {
  test("hides an entry at its time, and removes its row with a later write", async () => {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock });
    await storage.put("short", noise(400_000), { ttl: 1_000 });
    await storage.put("long", bytes("1"), { ttl: 100 * 365 * 24 * 3_600_000 });
    await clock.advance(1_000);
    expect(await storage.get("short")).toBeUndefined();
    expect((await storage.list()).entries.map(({ key }) => key)).toEqual(["long"]);
    await storage.put("other", bytes("1"));
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    const database = new DatabaseSync(path, { readOnly: true });
    expect(count(database, "entries")).toBe(2);
    expect(count(database, "entries.chunks")).toBe(0);
    database.close();
  });
});

describe("methods of its own", () => {
  test("are found through a stack", async () => {
    const path = await freshPath();
    const users = stack(sqliteStorage({ path, durability: "process" }), json<string>());
    onTestFinished(() => users.close());
    await users.put("a", "value");
    expect(await findLayer(users, SqliteStorage)?.size()).toMatchObject({ entries: 1, values: 7 });
  });

  test("backup writes a copy that is whole, while writes go on, and tells how far it is", async () => {
    const path = await freshPath();
    const storage = open(path);
    const value = noise(2_000_000);
    await storage.put("large", value);
    const copy = `${path}.copy`;
    const seen: number[] = [];
    const backup = storage.backup(copy, { onProgress: ({ remainingPages }) => seen.push(remainingPages) });
    await storage.put("later", bytes("1"));
    await backup;
    expect(seen.length).toBeGreaterThan(0);
    const restored = open(copy);
    expect(Buffer.compare((await restored.get("large"))!, value)).toBe(0);
    await expect(storage.backup(path)).rejects.toMatchObject({ code: "invalid-option" });
    await expect(storage.backup(join(path, "not/a/folder"))).rejects.toMatchObject({ operation: "backup" });
  });

  test("backup ends, with the database as it was when it began, while others write all the time", async () => {
    const path = await freshPath();
    const storage = open(path);
    const value = noise(5_000_000);
    await storage.put("large", value);
    const other = connect(path);
    let writes = 0;
    await storage.backup(`${path}.copy`, {
      onProgress: () => {
        if (++writes > 1_000) throw new Error("The backup does not end.");
        other.exec(`DELETE FROM "entries"; INSERT INTO "entries.hidden" (body, since) VALUES (${-writes}, 0)`);
      },
    });
    expect(writes).toBeGreaterThan(1);
    expect(Buffer.compare((await open(`${path}.copy`).get("large"))!, value)).toBe(0);
    expect(await storage.has("large")).toBe(false);
  });

  test("backup refuses the database itself, whatever the path that leads to it", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("a", bytes("1"));
    const folder = `${dirname(path)}-link`;
    await symlink(dirname(path), folder);
    onTestFinished(() => rm(folder));
    await symlink(path, `${path}.link`);
    await link(path, `${path}.hard`);
    for (const same of [path, join(folder, basename(path)), `${path}.link`, `${path}.hard`]) {
      await expect(storage.backup(same)).rejects.toMatchObject({ code: "invalid-option", operation: "backup" });
    }
    expect(await storage.has("a")).toBe(true);
  });

  test("backup does not replace a database that is in use or was not closed: the log of that would be taken for one of the copy", async () => {
    const path = await freshPath();
    const copy = `${path}.copy`;
    const storage = open(path);
    await storage.put("a", bytes("1"));
    await storage.backup(copy);
    const restored = open(copy);
    await restored.put("a", bytes("2"));
    await storage.put("a", bytes("3"));
    await expect(storage.backup(copy)).rejects.toMatchObject({ code: "invalid-option", operation: "backup" });
    expect(Buffer.from((await restored.get("a"))!).toString()).toBe("2");
    await restored.close();
    await writeFile(`${copy}-journal`, "left behind");
    await expect(storage.backup(copy)).rejects.toMatchObject({ code: "invalid-option" });
    await rm(`${copy}-journal`);
    await storage.backup(copy);
    expect(Buffer.from((await open(copy).get("a"))!).toString()).toBe("3");
    expect((await readdir(dirname(path))).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("vacuum gives the room of what was deleted back to the disk", async () => {
    const path = await freshPath();
    const storage = open(path);
    await storage.put("large", noise(4_000_000));
    await storage.delete("large");
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect((await storage.size()).file).toBeGreaterThan(4_000_000);
    await storage.vacuum();
    expect((await storage.size()).file).toBeLessThan(200_000);
    expect((await stat(path)).size).toBeLessThan(200_000);
  });
});

test("a stream that is open when the storage closes ends with closed", async () => {
  const storage = open(await freshPath());
  await storage.put("key", noise(2_000_000));
  const reader = (await storage.read("key"))!.value.getReader();
  await reader.read();
  expect(storage.details().stats["openStreams"]).toBe(1);
  await storage.close();
  await expect(reader.read()).rejects.toMatchObject({ code: "closed" });
  expect(storage.details().stats["openStreams"]).toBe(0);
});

test("a thread that cannot open its connection is an error of the open, and the next call tries again", async () => {
  const path = await freshPath();
  await writeFile(path, "no database at all, but quite some text that is longer than the head of one would be, to be read as such");
  const storage = open(path, { thread: true });
  await expect(storage.put("a", bytes("1"))).rejects.toMatchObject({ code: "corrupt" });
  await rm(path);
  await storage.put("a", bytes("1"));
  expect(await storage.has("a")).toBe(true);
});

test("calls that outlive the close end with closed", async () => {
  for (const thread of [false, true]) {
    const path = await freshPath();
    const clock = new VirtualClock();
    const storage = open(path, { clock, thread });
    await storage.put("key", bytes("old"));
    const database = connect(path);
    const { source, goOn } = pausedSource(2, noise(chunkSize));
    const writing = storage.write("key", source);
    writing.catch(() => {});
    await until(() => count(database, "entries.chunks") === 2);
    const closing = storage.close();
    await until(() => clock.pending > 0);
    await clock.advance(10_000);
    await closing;
    goOn();
    await expect(writing).rejects.toMatchObject({ code: "closed", outcome: "none", operation: "write", key: "key" });
  }
});

describe("a thread", () => {
  test("that ends leaves the outcome of its commit unknown, and makes nothing later", async () => {
    const path = await freshPath();
    const started = new Promise<Worker>((resolve) => process.once("worker", resolve));
    const storage = open(path, { thread: true });
    await storage.put("a", bytes("1"));
    const other = connect(path);
    other.exec("BEGIN IMMEDIATE");
    const writing = storage.put("a", bytes("2"));
    writing.catch(() => {});
    await nextTurn(); // sent by then
    const ended = (await started).terminate();
    other.exec("COMMIT");
    await ended;
    await expect(writing).rejects.toMatchObject({ code: "unavailable", outcome: "unknown", operation: "put", key: "a" });
    await expect(storage.put("b", bytes("1"))).rejects.toMatchObject({ code: "unavailable", outcome: "none", operation: "put", key: "b" });
    await expect(storage.clear()).rejects.toMatchObject({ code: "unavailable", outcome: "none", operation: "clear" });
    expect(await storage.has("b")).toBe(false);
  });

  test("is sent the bytes of a value alone, without the memory that they lie in", async () => {
    const storage = open(await freshPath(), { thread: true });
    await storage.put("a", bytes("1"));
    const post = vi.spyOn(Worker.prototype, "postMessage");
    onTestFinished(() => post.mockRestore());
    const memory = noise(1024 * 1024);
    const value = memory.subarray(7, 17);
    await Promise.all([
      storage.put("put", value),
      storage.batch([{ type: "put", key: "batched", value }], { atomic: true }),
      storage.write("written", new Blob([value])),
    ]);
    for (const key of ["put", "batched", "written"]) expect(Buffer.compare((await storage.get(key))!, value)).toBe(0);
    const sent: number[] = [];
    const look = (found: unknown): void => {
      if (found instanceof Uint8Array) sent.push(found.buffer.byteLength);
      else if (typeof found === "object" && found !== null) Object.values(found).forEach(look);
    };
    post.mock.calls.forEach(([message]) => look(message));
    expect(sent).toEqual([10, 10, 10]);
  });

  test("makes the other writes of a turn although the memory of one is gone", async () => {
    const storage = open(await freshPath(), { thread: true });
    await storage.put("a", bytes("1"));
    const value = noise(10);
    const writes = [storage.put("b", bytes("1")), storage.put("gone", value), storage.put("c", bytes("1"))];
    structuredClone(value, { transfer: [value.buffer] });
    const [before, , after] = await Promise.allSettled(writes);
    expect([before?.status, after?.status]).toEqual(["fulfilled", "fulfilled"]);
  });
});
