import { expect, test } from "vitest";
import { bytesOf, textOf, TrackedSource } from "../../test/map-storage.ts";
import type { Capabilities, EntryInfo } from "../contract/contract.ts";
import { compareKeys } from "../contract/keys.ts";
import { StorageError } from "../contract/storage-error.ts";
import { Commits } from "./commits.ts";
import type { RecordChanges, RecordOutcome } from "./record-changes.ts";
import { everyMade } from "./record-changes.ts";
import type { RecordStore } from "./record-storage.ts";
import { RecordStorage } from "./record-storage.ts";
import { Turns } from "./turns.ts";

/** A time-out of `close` is over as soon as it begins. */
const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
const turns = new Turns(setImmediate);

const broken = (): Error => Object.assign(new Error("broken"), { code: "EIO" });

/** Records in a map, which fail by what is handed in. */
class MapRecords implements RecordStore {
  readonly records = new Map<string, Uint8Array>();
  #groups = 0;
  readonly commits: RecordStore["commits"];
  /** The numbers of groups that fail, from 1 on. */
  readonly failing = new Set<number>();

  constructor() {
    this.commits = new Commits<RecordChanges, RecordOutcome>({ run: (sets) => this.#commit(sets), soon: queueMicrotask, turns, clock });
  }

  record(key: string): Uint8Array | undefined {
    if (key === "broken") throw broken();
    return this.records.get(key);
  }

  readonly range = ({ from, end }: { from: string; end: string | undefined }, most: number): readonly EntryInfo[] =>
    [...this.records.keys()]
      .filter((key) => compareKeys(key, from) >= 0 && (end === undefined || compareKeys(key, end) < 0))
      .toSorted(compareKeys)
      .slice(0, most)
      .map((key) => ({ key }));

  close(): void {}

  #commit(sets: readonly RecordChanges[]): { outcomes: RecordOutcome[]; more: boolean } {
    if (sets.length > 0 && this.failing.has(++this.#groups)) throw broken();
    for (const { key, record } of sets.flat()) {
      if (record === undefined) this.records.delete(key);
      else this.records.set(key, record);
    }
    return { outcomes: sets.map(() => everyMade), more: false };
  }
}

class MapRecordStorage extends RecordStorage {
  override readonly capabilities: Capabilities = {
    ttl: false,
    metadata: true,
    conditions: ["create", "replace", "delete", "stream"],
    list: "ordered",
    atomicBatch: true,
    anyKey: true,
    streams: "buffered",
    durability: "memory",
    shared: false,
  };

  constructor(store: RecordStore, open: () => Promise<RecordStore> = async () => store) {
    super({
      name: "map",
      clock,
      turns,
      open,
      translate: (error, operation, key) =>
        error instanceof Error && "code" in error && !StorageError.is(error)
          ? new StorageError("unavailable", "The store failed.", { operation, key, storage: "map", cause: error })
          : error,
    });
  }
}

/** A storage with many entries, the numbers of whose next groups begin at 1. */
async function filled(count: number): Promise<{ storage: MapRecordStorage; store: MapRecords }> {
  const store = new MapRecords();
  for (let index = 0; index < count; index++) store.records.set(`key${index}`, new Uint8Array(0));
  const storage = new MapRecordStorage(store);
  await storage.list({ limit: 1 });
  return { storage, store };
}

test("a source that fails as a store does fails with its own error, and nothing is stored", async () => {
  const { storage } = await filled(0);
  const failed = Object.assign(new Error("No space left on device"), { code: "ENOSPC", syscall: "read" });
  const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield bytesOf("a");
    throw failed;
  };
  await expect(storage.write("key", source())).rejects.toBe(failed);
  expect(await storage.has("key")).toBe(false);
});

test("an error of the store is translated, also before a source is read, which is cancelled then", async () => {
  const { storage, store } = await filled(0);
  const expected = { code: "unavailable", key: "broken" };
  await expect(storage.get("broken")).rejects.toMatchObject({ ...expected, operation: "get" });
  const source = new TrackedSource(["a"]);
  await expect(storage.write("broken", source.stream, { ifNoneMatch: "*" })).rejects.toMatchObject({ ...expected, operation: "write" });
  await expect.poll(() => source.isCancelled).toBe(true);
  const closed = new MapRecordStorage(store, () => Promise.reject(broken()));
  await expect(closed.write("key", new Blob(["a"]))).rejects.toMatchObject({ code: "unavailable", operation: "write", key: "key" });
});

test("the reason of a signal arrives as it is, whatever it looks like", async () => {
  const { storage } = await filled(0);
  const reason = Object.assign(new Error("socket hang up"), { code: "ECONNRESET", syscall: "read" });
  const signal = AbortSignal.abort(reason);
  const calls = [
    storage.get("key", { signal }),
    storage.getEntry("key", { signal }),
    storage.head("key", { signal }),
    storage.read("key", { signal }),
    storage.getEntries(["key"], { signal }),
    storage.list({ signal }),
    storage.put("key", bytesOf("a"), { signal }),
    storage.write("key", new Blob(["a"]), { signal }),
    storage.delete("key", { signal }),
    storage.batch([{ type: "delete", key: "key" }], { signal }),
    storage.clear({ signal }),
    storage.flush({ signal }),
  ];
  for (const call of await Promise.allSettled(calls)) expect(call).toEqual({ status: "rejected", reason });
});

test("a batch goes on after a group that failed, and says which operations did", async () => {
  const { storage, store } = await filled(0);
  store.failing.add(2);
  const failed: unknown = await storage
    .batch(Array.from({ length: 2_500 }, (_, index) => ({ type: "put", key: `key${index}`, value: bytesOf("a") })))
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "partial", operation: "batch" });
  const { failures } = failed as StorageError;
  expect(failures).toHaveLength(1_000);
  expect(failures![0]).toMatchObject({ index: 1_000, key: "key1000", error: { code: "unavailable", key: "key1000" } });
  expect(store.records.size).toBe(1_500);
});

test("a clear that fails after it removed some says that the outcome is unknown", async () => {
  const { storage, store } = await filled(2_500);
  store.failing.add(1).add(3);
  await expect(storage.clear()).rejects.toMatchObject({ code: "unavailable", outcome: "none", operation: "clear" });
  await expect(storage.clear()).rejects.toMatchObject({ code: "unavailable", outcome: "unknown", operation: "clear", retryable: true });
  expect(store.records.size).toBe(1_500);
});

test("a call that outlives close is told that the storage is closed, and changes nothing", async () => {
  const { storage, store } = await filled(0);
  await storage.put("key", bytesOf("old"));
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield bytesOf("a");
    begun.resolve();
    await gate.promise;
  };
  const writing = storage.write("key", source());
  await begun.promise;
  const before = store.records.get("key");
  await storage.close();
  gate.resolve();
  await expect(writing).rejects.toMatchObject({ code: "closed", operation: "write", key: "key", storage: "map", outcome: "none" });
  expect(store.records.get("key")).toBe(before);
  expect(textOf(before)).toContain("old");
});
