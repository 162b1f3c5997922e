import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadStorages } from "@stowage/config";
import type { ByteStorage, Bytes, Call, CallOptions, Entry, EntryInfo, Next, OperationName, PutOptions } from "@stowage/core";
import { AroundStorage, ForwardingStorage } from "@stowage/core";
import { expect, test } from "vitest";
import type { MoveOptions, Opened } from "./move.ts";
import { move } from "./move.ts";
import { contentsOf, fill, keysOf, withStorages } from "./testing/contents.ts";
import { storageFile } from "./testing/folder.ts";

const databases = `
storages:
  from: { backend: { sqlite: { path: ./from.db, durability: process } } }
  to: { backend: { sqlite: { path: ./to.db, durability: process } } }
`;

const intoFolder = `
storages:
  from: { backend: { sqlite: { path: ./from.db, durability: process } } }
  to: { backend: { file: { directory: ./to, durability: process } } }
`;

const text = (words: string): Bytes => new TextEncoder().encode(words);

const base64 = (words: string): string => Buffer.from(words).toString("base64");

type Change = (storages: Opened) => Opened;

/** Moves from the storage `from` of a file into `to`, with what was said. */
async function moved(
  file: string,
  options: MoveOptions = {},
  change: Change = (opened) => opened,
): Promise<{ done: boolean; said: string }> {
  const said: string[] = [];
  const open = async (): Promise<Opened> => {
    const storages = await loadStorages(file);
    return change({ from: storages.bytes("from"), to: storages.bytes("to"), close: () => storages.close() });
  };
  const teller = { say: (line: string) => void said.push(line), startProgress: () => ({ show: () => {}, stop: () => {} }) };
  return { done: await move(open, options, teller), said: said.join("\n") };
}

const put = (file: string, name: string, key: string, words: string, options?: PutOptions): Promise<EntryInfo> =>
  withStorages(file, (storages) => storages.bytes(name).put(key, text(words), options));

const contents = (file: string, name: string): Promise<Map<string, string>> =>
  withStorages(file, (storages) => contentsOf(storages.bytes(name)));

const keys = (file: string, name: string): Promise<string[]> => withStorages(file, (storages) => keysOf(storages.bytes(name)));

async function filled(yaml: string, count = 20, whole = true): Promise<string> {
  const file = await storageFile(yaml);
  await withStorages(file, (storages) => fill(storages.bytes("from"), count, { whole }));
  return file;
}

test("value, metadata and expiry of every entry arrive, and the source keeps all it has", async () => {
  const file = await filled(databases);
  const before = await contents(file, "from");
  const { done, said } = await moved(file);
  expect(said).toContain("Done: 20 entries, the same in the target as in the source; 20 of them copied by this run.");
  expect(done).toBe(true);
  expect(await contents(file, "to")).toEqual(before);
  expect(await contents(file, "from")).toEqual(before);
});

test("a second run copies nothing, and one after new entries only those", async () => {
  const file = await filled(databases);
  await moved(file);
  expect((await moved(file)).said).toContain("20 entries, the same in the target as in the source; 0 of them copied by this run.");
  await put(file, "from", "new", "value");
  expect((await moved(file)).said).toContain("21 entries, the same in the target as in the source; 1 of them copied by this run.");
});

test("values over a megabyte are copied and compared", async () => {
  const file = await storageFile(databases);
  await put(file, "from", "large", "x".repeat(3_000_000));
  await put(file, "from", "other", "y".repeat(1_100_000));
  expect(await moved(file)).toMatchObject({ done: true });
  await put(file, "to", "large", `${"x".repeat(2_999_999)}y`);
  expect((await moved(file)).said).toContain('The target has something else under this key:\n  "large"');
});

test("only what begins with the prefix is moved and removed", async () => {
  const file = await storageFile(databases);
  for (const key of ["a/1", "a/2", "b/1"]) await put(file, "from", key, key);
  expect(await moved(file, { prefix: "a/", remove: true })).toMatchObject({ done: true });
  expect(await keys(file, "to")).toEqual(["a/1", "a/2"]);
  expect(await keys(file, "from")).toEqual(["b/1"]);
});

test("keys that the target cannot hold are listed before anything is copied", async () => {
  const file = await storageFile(intoFolder);
  const long = "x".repeat(300);
  for (const key of ["good", "a//b", "../up", long]) await put(file, "from", key, key);
  const { done, said } = await moved(file, { drop: ["metadata", "expiry"] });
  expect(done).toBe(false);
  expect(said).toContain("The target cannot hold these 3 keys:");
  for (const key of ["a//b", "../up", long]) expect(said).toContain(`\n  ${JSON.stringify(key)}  `);
  expect(said).toContain("Nothing was copied");
  expect(existsSync(join(dirname(file), "to", "good"))).toBe(false);
});

test("keys that cannot be beside others in a folder are listed before anything is copied", async () => {
  const file = await storageFile(intoFolder);
  for (const key of ["a", "a/b/c", "there/below", "over"]) await put(file, "from", key, key);
  const folder = join(dirname(file), "to");
  await mkdir(join(folder, "over"), { recursive: true });
  await writeFile(join(folder, "there"), "theirs");
  await writeFile(join(folder, "over", "there"), "theirs");
  const { done, said } = await moved(file, { drop: ["metadata", "expiry"] });
  expect(done).toBe(false);
  expect(said.split("\n").slice(0, 4).toSorted()).toEqual([
    '  "a/b/c"  It cannot be beside "a".',
    '  "over"  It cannot be beside "over/there".',
    '  "there/below"  It cannot be beside "there".',
    "The target cannot hold these 3 keys:",
  ]);
  expect((await readdir(folder)).filter((name) => name !== ".stowage").toSorted()).toEqual(["over", "there"]);
});

test("what the target has under the same keys is never overwritten unless that is asked for", async () => {
  const file = await filled(databases, 5);
  await put(file, "to", "entries/1/1", "theirs");
  await put(file, "to", "entries/2/2", "theirs");
  await put(file, "to", "their/own", "theirs");
  const { done, said } = await moved(file);
  expect(done).toBe(false);
  expect(said).toContain('The target has something else under these 2 keys:\n  "entries/1/1"\n  "entries/2/2"\n');
  expect(await keys(file, "to")).toEqual(["entries/1/1", "entries/2/2", "their/own"]);

  expect(await moved(file, { overwrite: true })).toMatchObject({ done: true });
  const own = (await contents(file, "to")).get("their/own")!;
  expect(await contents(file, "to")).toEqual(new Map([...(await contents(file, "from")), ["their/own", own]]));
});

test("another metadata or another expiry is another content", async () => {
  const file = await storageFile(databases);
  const expiresAt = Date.now() + 3_600_000;
  await put(file, "from", "metadata", "same", { metadata: { a: "b" } });
  await put(file, "to", "metadata", "same", { metadata: { a: "c" } });
  await put(file, "from", "expiry", "same", { expiresAt });
  await put(file, "to", "expiry", "same", { expiresAt: expiresAt + 1 });
  expect((await moved(file)).said).toContain('something else under these 2 keys:\n  "expiry"\n  "metadata"');
});

test("what somebody else puts into the target meanwhile is not overwritten, and is reported", async () => {
  const file = await filled(databases, 5);
  const theirs = (opened: Opened): Opened => {
    const to = new Meddled(opened.to as ByteStorage, async (inner, call) => {
      if (call === "put") await inner.put("entries/3/3", text("theirs"));
    });
    return { ...opened, to };
  };
  const { done, said } = await moved(file, { concurrency: 1 }, theirs);
  expect(done).toBe(false);
  expect(said).toContain('for this key:\n  "entries/3/3"');
  expect((await contents(file, "to")).get("entries/3/3")).toContain(base64("theirs"));
});

test("a target that loses metadata or expiry is refused, unless it may drop them", async () => {
  const file = await filled(intoFolder);
  const refused = await moved(file);
  expect(refused.done).toBe(false);
  expect(refused.said).toContain("--drop metadata.");
  expect(refused.said).toContain("--drop expiry.");
  expect(existsSync(join(dirname(file), "to", "entries"))).toBe(false);
  const { done, said } = await moved(file, { drop: ["metadata", "expiry"] });
  expect(done).toBe(true);
  expect(said).toContain("7 entries lost their metadata, as --drop says.\n7 entries lost their expiry, as --drop says.");
  expect(await moved(file, { drop: ["metadata", "expiry"] })).toMatchObject({ done: true });
});

test("a target that cannot write only where nothing is needs a single writer", async () => {
  const file = await filled(`
storages:
  from: { backend: { sqlite: { path: ./from.db, durability: process } } }
  to:
    backend:
      composite:
        replicas:
          one: { backend: { sqlite: { path: ./one.db, durability: process } } }
          two: { backend: { sqlite: { path: ./two.db, durability: process } } }
`);
  expect((await moved(file)).said).toContain("--single-writer");
  expect(await keys(file, "to")).toEqual([]);
  expect(await moved(file, { singleWriter: true })).toMatchObject({ done: true });
  expect(await contents(file, "to")).toEqual(await contents(file, "from"));
});

test("a storage in memory is refused, because it ends with the command", async () => {
  const { done, said } = await moved(await filled(databases.replace(/sqlite: \{ path: .\/to.*? \}/, "memory: {}")));
  expect(said).toContain("A storage in memory ends with this command");
  expect(done).toBe(false);
});

test("a dry run lists and copies nothing", async () => {
  const file = await filled(databases);
  const { done, said } = await moved(file, { dryRun: true });
  expect(done).toBe(true);
  expect(said).toBe("20 entries in the source: 0 are in the target already, 20 are to be copied, 0 differ, 0 cannot be held.");
  expect(await keys(file, "to")).toEqual([]);
});

test("with remove the source is empty at the end, and the target has all of it", async () => {
  const file = await filled(databases);
  const before = await contents(file, "from");
  const { done, said } = await moved(file, { remove: true });
  expect(said).toContain("20 entries removed from the source.");
  expect(done).toBe(true);
  expect(await contents(file, "to")).toEqual(before);
  expect(await keys(file, "from")).toEqual([]);
  expect(await moved(file, { remove: true })).toMatchObject({ done: true });
  expect(await contents(file, "to")).toEqual(before);
});

test("an entry that is changed while the others are removed stays in the source, and is reported", async () => {
  const file = await filled(databases, 5);
  const changing = (opened: Opened): Opened => {
    const from = new Meddled(opened.from as ByteStorage, async (inner, call) => {
      if (call === "delete") await inner.put("entries/3/3", text("newer"));
    });
    return { ...opened, from };
  };
  const { done, said } = await moved(file, { remove: true, concurrency: 1 }, changing);
  expect(done).toBe(false);
  expect(said).toContain('not removed, was this key:\n  "entries/3/3"\n4 entries removed');
  expect(await contents(file, "from")).toEqual(new Map([["entries/3/3", expect.stringContaining(base64("newer"))]]));
});

test("nothing is removed from a source that cannot delete just one version, and nothing is copied", async () => {
  const file = await filled(databases.replace("durability: process } } }", "durability: process } }, layers: [behind] }"));
  const { done, said } = await moved(file, { remove: true });
  expect(said).toContain("--remove could take what was changed meanwhile");
  expect(done).toBe(false);
  expect(await keys(file, "to")).toEqual([]);
});

test("two names for one place lose nothing to remove", async () => {
  const file = await filled(databases.replace("./to.db", "./from.db"));
  const before = await contents(file, "from");
  const { done, said } = await moved(file, { remove: true });
  expect(said).toContain("FROM and TO are one place by two names: nothing was removed.");
  expect(done).toBe(false);
  expect(await contents(file, "from")).toEqual(before);
});

test("what changes in the source while it is copied is reported, and nothing is removed", async () => {
  const file = await filled(databases, 5);
  let opens = 0;
  const changing = (opened: Opened): Opened => {
    opens++;
    let changed = false;
    const from = new Meddled(opened.from as ByteStorage, async (inner, call) => {
      if (opens !== 2 || call !== "list" || changed) return;
      changed = true;
      await inner.put("entries/0/0", text("changed"));
      await inner.delete("entries/1/1");
      await inner.put("new", text("arrived"));
    });
    return { ...opened, from };
  };
  const { done, said } = await moved(file, { remove: true }, changing);
  expect(done).toBe(false);
  expect(said).toContain('The source was changed after it was copied for this key:\n  "entries/0/0"');
  expect(said).toContain('The source has since got this key:\n  "new"');
  expect(said).toContain('The source has no longer, but the target still has this key:\n  "entries/1/1"');
  expect(said).toContain("Nothing was removed from the source.");
  expect((await keys(file, "from")).length).toBe(5);

  expect((await moved(file)).said).toContain('something else under this key:\n  "entries/0/0"');
  expect(await moved(file, { overwrite: true })).toMatchObject({ done: true });
});

test.each([
  [
    "flips a byte",
    (key: string, value: Uint8Array) => (key === "entries/2/2" ? value.map((byte) => byte ^ 1) : value),
    "gives something else",
  ],
  ["loses an entry", (key: string, value: Uint8Array) => (key === "entries/2/2" ? undefined : value), "did not keep"],
] as const)("a target that %s is found out, also when it remembers what it was given", async (_, keep, complaint) => {
  const file = await filled(databases, 5);
  const lying = (opened: Opened): Opened => ({ ...opened, to: new Lying(opened.to as ByteStorage, keep) });
  const { done, said } = await moved(file, { remove: true }, lying);
  expect(done).toBe(false);
  expect(said).toMatch(new RegExp(`The target ${complaint}.* this key:\n {2}"entries/2/2"`));
  expect((await keys(file, "from")).length).toBe(5);
});

test("a target that forgets metadata is found out", async () => {
  const file = await filled(databases, 5);
  const forgetting = (opened: Opened): Opened => ({ ...opened, to: new Forgetting(opened.to as ByteStorage) });
  const { done, said } = await moved(file, {}, forgetting);
  expect(done).toBe(false);
  expect(said).toContain('The target gives something else than was written for these 2 keys:\n  "entries/0/0"\n  "entries/3/3"');
});

test("what the target has and cannot read is something else, and is not overwritten", async () => {
  const compressed = databases.replace(
    "to: { backend: { sqlite: { path: ./to.db, durability: process } } }",
    "to: { backend: { sqlite: { path: ./to.db, durability: process } }, layers: [compressed] }",
  );
  const file = await filled(compressed, 5);
  const plain = await storageFile(`storages: { to: { backend: { sqlite: { path: ${join(dirname(file), "to.db")} } } } }`);
  await put(plain, "to", "entries/1/1", "not compressed");
  expect((await moved(file)).said).toContain('something else under this key:\n  "entries/1/1"');
});

test("an entry that the source cannot read is reported, and the others arrive", async () => {
  const compressed = databases.replace("process } } }\n", "process } }, layers: [compressed] }\n");
  const file = await filled(compressed, 5);
  const plain = await storageFile(`storages: { from: { backend: { sqlite: { path: ${join(dirname(file), "from.db")} } } } }`);
  await put(plain, "from", "entries/1/1", "not compressed");
  const { done, said } = await moved(file);
  expect(done).toBe(false);
  expect(said).toContain('There was no copying this key:\n  "entries/1/1"  ');
  expect((await keys(file, "to")).length).toBe(4);
});

test("an abort ends it with its reason, and the next run goes on", async () => {
  const file = await filled(databases);
  const abort = new AbortController();
  const stopping = (opened: Opened): Opened => {
    const to = new Meddled(opened.to as ByteStorage, async (_, call) => {
      if (call === "put") abort.abort(new Error("enough"));
    });
    return { ...opened, to };
  };
  await expect(moved(file, { concurrency: 1, signal: abort.signal }, stopping)).rejects.toThrow("enough");
  expect((await keys(file, "to")).length).toBeLessThan(20);
  expect(await moved(file)).toMatchObject({ done: true });
});

/** Something happens to the storage below right before a call. */
class Meddled extends AroundStorage<Bytes> implements ByteStorage {
  readonly name = "meddled";
  declare protected readonly below: ByteStorage;
  readonly #before: (below: ByteStorage, operation: OperationName) => Promise<void>;

  constructor(below: ByteStorage, before: (below: ByteStorage, operation: OperationName) => Promise<void>) {
    super(below);
    this.#before = before;
  }

  protected override async around<T>(call: Call, next: Next<T>): Promise<T> {
    await this.#before(this.below, call.operation);
    return await next();
  }
}

/** Keeps something else than it was given, and answers from its memory as if all were well. */
class Lying extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name = "lying";
  readonly #keep: (key: string, value: Uint8Array) => Uint8Array | undefined;
  readonly #given = new Map<string, Entry<Bytes>>();

  constructor(below: ByteStorage, keep: (key: string, value: Uint8Array) => Uint8Array | undefined) {
    super(below);
    this.#keep = keep;
  }

  override async getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    return this.#given.get(key) ?? (await super.getEntry(key, options));
  }

  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const kept = this.#keep(key, value);
    const info = kept === undefined ? { key } : await super.put(key, new Uint8Array(kept), options);
    this.#given.set(key, { ...info, value });
    return info;
  }
}

class Forgetting extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name = "forgetting";

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, metadata: undefined });
  }
}
