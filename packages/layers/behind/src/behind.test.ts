import type { ByteSource, Bytes, ByteStorage, Capabilities } from "@stowage/core";
import { borrowed, findLayer, ForwardingStorage, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { MockStorage, VirtualClock } from "@stowage/testing";
import { expect, test, vi } from "vitest";
import type { BehindOptions, DeadLetter } from "./index.ts";
import { behind, BehindStorage } from "./index.ts";
import { nameOf, packRecord } from "./record.ts";

const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const text = async (stored: Promise<Bytes | undefined>): Promise<string | undefined> => {
  const value = await stored;
  return value && new TextDecoder().decode(value);
};
const large = (fill: number, size = 200_000): Bytes => new Uint8Array(size).fill(fill);

interface Setting {
  readonly clock: VirtualClock;
  readonly below: MockStorage;
  readonly journal: MockStorage;
  readonly storage: ByteStorage;
  readonly layer: BehindStorage;
  /** The names in the journal, except the owner. */
  records(): Promise<readonly string[]>;
  /** Another process, over the same data. */
  again(options?: BehindOptions): ByteStorage;
}

function setting(options: BehindOptions = {}): Setting {
  const clock = new VirtualClock();
  const [below, journal] = [new MockStorage({ clock }), new MockStorage({ clock })];
  const over = (others: BehindOptions): ByteStorage =>
    stack(
      borrowed()(below as unknown as ByteStorage),
      behind({ clock, journal: borrowed()(journal as unknown as ByteStorage), ...others }),
    );
  const storage = over(options);
  return {
    clock,
    below,
    journal,
    storage,
    layer: findLayer(storage, BehindStorage)!,
    records: async () => (await journal.list()).entries.map(({ key }) => key).filter((key) => key !== "owner"),
    again: (others = {}) => over({ ...options, ...others }),
  };
}

const down = new StorageError("unavailable", "The store is down.");
const refused = new StorageError("denied", "The store does not want this.");

/** Promises no conditions, as some stores do. */
class Unconditional extends ForwardingStorage<Bytes> {
  readonly name = "unconditional";

  constructor(below: ByteStorage) {
    super(borrowed()(below));
  }

  override get capabilities(): Capabilities {
    return { ...super.capabilities, conditions: [] };
  }
}

/** Fails while it waits for more of a source. */
class Resetting extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name = "resetting";
  readonly #idle: Promise<void>;

  /** @param idle settles when the source has nothing to give */
  constructor(idle: Promise<void>) {
    super(memoryStorage());
    this.#idle = idle;
  }

  override async write(_key: string, source: ByteSource): Promise<never> {
    (async () => {
      for await (const chunk of source as AsyncIterable<Bytes>) void chunk;
    })().catch(() => {});
    await this.#idle;
    throw down;
  }
}

test("writes of one key within the window reach the storage below as one, and leave nothing in the journal", async () => {
  const { clock, below, storage, layer, records } = setting();
  for (const value of ["a", "b", "c"]) await storage.put("key", bytes(value));
  expect([await text(below.get("key")), await text(storage.get("key"))]).toEqual([undefined, "c"]);
  expect(layer.stats()).toMatchObject({ pending: 1, pendingSize: 1, coalesced: 2 });
  await clock.advance(100);
  expect(await text(below.get("key"))).toBe("c");
  expect(below.calls.filter(({ operation }) => operation === "put")).toHaveLength(1);
  expect([await records(), layer.stats()]).toEqual([[], expect.objectContaining({ written: 1, pending: 0, pendingSize: 0, oldestAge: 0 })]);
  await storage.close();
});

test("half of the limits ends the window", async () => {
  const { clock, below, storage } = setting({ window: 1_000_000, maxPending: 4 });
  await storage.put("a", bytes("1"));
  await clock.advance(10);
  expect(await below.has("a")).toBe(false);
  await storage.put("b", bytes("2"));
  await clock.advance(0);
  expect([await below.has("a"), await below.has("b")]).toEqual([true, true]);
  await storage.close();
});

test("what a journal holds at the start is seen at once, and written without a wait", async () => {
  const { clock, below, journal, storage, records } = setting();
  const draft = { type: "put", key: "key", modifiedAt: 5, expiresAt: undefined, metadata: { author: "Ada" } } as const;
  await journal.put(nameOf(6), packRecord(draft, 6, bytes("older")).record);
  await journal.put(nameOf(7), packRecord(draft, 7, large(7)).record);
  expect(await storage.get("key")).toEqual(large(7));
  await clock.advance(0);
  expect(await below.getEntry("key")).toMatchObject({ value: large(7), metadata: { author: "Ada" } });
  expect(await records()).toEqual([]);
  await storage.put("key", bytes("next"));
  expect(await records()).toEqual([nameOf(8)]);
  await storage.close();
});

test("a damaged record, a record of another name and a foreign key stop the storage, and nothing is touched", async () => {
  const draft = { type: "put", key: "key", modifiedAt: 5, expiresAt: undefined, metadata: undefined } as const;
  const { record } = packRecord(draft, 3, bytes("value"));
  const damage = record.slice();
  damage[60]! ^= 1;
  const wrong: [string, Bytes, string][] = [
    [nameOf(3), damage, "corrupt"],
    [nameOf(3), record.slice(0, -1), "corrupt"],
    [nameOf(3), new Uint8Array(0), "corrupt"],
    [nameOf(9), record, "corrupt"],
    ["notes.txt", record, "config"],
    ["12", record, "config"],
  ];
  for (const [name, stored, code] of wrong) {
    const { below, journal, storage } = setting();
    await journal.put(nameOf(1), packRecord(draft, 1, bytes("first")).record);
    await journal.put(name, stored);
    const before = (await journal.list()).entries.map(({ key }) => key);
    for (let attempt = 0; attempt < 2; attempt++) {
      const error: unknown = await storage.get("key").catch((reason: unknown) => reason);
      expect(StorageError.is(error, code as "corrupt"), name).toBe(true);
      if (code === "corrupt") expect((error as Error).message).toContain(name);
    }
    expect((await journal.list()).entries.map(({ key }) => key)).toEqual(before);
    expect(below.calls).toEqual([]);
    await journal.delete(name);
    expect(await text(storage.get("key")), "once it is removed").toBe("first");
    await storage.close();
  }
});

test("a storage below that is down for long loses nothing, and catches up when it is back", async () => {
  const { clock, below, storage, layer, records } = setting();
  const [puts, deletes] = [below.on("put"), below.on("delete")];
  puts.fails(down);
  deletes.fails(down);
  for (let index = 0; index < 50; index++) await storage.put(`key-${index}`, bytes(String(index)));
  await storage.delete("key-7");
  await clock.advance(600_000);
  expect(below.calls.length, "it is not flooded").toBeLessThan(1_000);
  expect(await records()).toHaveLength(51);
  expect((await storage.list()).entries).toHaveLength(49);
  expect(layer.stats()).toMatchObject({ written: 0, deadLetters: 0, oldestAge: 600_000 });
  const control = new AbortController();
  const flushing = storage.flush({ signal: control.signal });
  control.abort(new Error("enough"));
  await expect(flushing).rejects.toThrow("enough");
  below.reset();
  await storage.flush();
  await clock.advance(0);
  expect([(await below.list()).entries.length, await records()]).toEqual([49, []]);
  await storage.close();
});

test("a write that is refused for good becomes a dead letter that holds up no other key", async () => {
  const letters: DeadLetter[] = [];
  const { clock, below, storage, layer, records, again } = setting({ onDeadLetter: (letter) => void letters.push(letter) });
  below.on("put", "poison").fails(refused);
  await storage.put("poison", bytes("bad"));
  await storage.put("good", bytes("fine"));
  await clock.advance(100);
  expect([await below.has("good"), await records(), layer.stats().deadLetters]).toEqual([true, [nameOf(1)], 1]);
  expect(letters).toEqual([{ type: "put", key: "poison", acceptedAt: clock.now() - 100, error: refused }]);
  expect([layer.deadLetters(), await text(storage.get("poison"))]).toEqual([letters, "bad"]);
  await expect(storage.flush()).rejects.toMatchObject({ code: "partial", failures: [{ key: "poison", error: refused }] });
  layer.retryDeadLetters();
  await clock.advance(0);
  expect([letters.length, layer.stats().deadLetters]).toEqual([2, 1]);
  await expect(storage.close()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("1 key ") });
  below.reset();
  const next = again();
  await next.flush();
  expect(await text(below.get("poison"))).toBe("bad");
});

test("a dead letter gives way to a later write of its key, and to whoever discards it", async () => {
  const { clock, below, storage, layer, records } = setting();
  below.on("put", "a").fails(refused);
  below.on("put", "b").fails(refused);
  for (const key of ["a", "b"]) await storage.put(key, bytes("bad"));
  await clock.advance(100);
  expect(layer.stats().deadLetters).toBe(2);
  below.reset();
  await storage.put("a", bytes("good"));
  expect([await layer.discardDeadLetter("b"), await layer.discardDeadLetter("b"), await layer.discardDeadLetter("a")]).toEqual([
    true,
    false,
    false,
  ]);
  await storage.flush();
  await clock.advance(0);
  expect([await text(storage.get("a")), await text(below.get("a")), await storage.has("b")]).toEqual(["good", "good", false]);
  expect([await records(), layer.stats().deadLetters, layer.stats().pending]).toEqual([[], 0, 0]);
  await storage.close();
});

test("a dead letter that a put overtakes while it is discarded takes nothing of that put along", async () => {
  const { clock, below, journal, storage, layer } = setting();
  below.on("put", "key").fails(refused, { times: 1 });
  await storage.put("key", bytes("old"));
  await clock.advance(100);
  expect(layer.stats().deadLetters).toBe(1);
  journal.on("put").delays(50);
  const put = storage.put("key", bytes("new"));
  await vi.waitFor(() => expect(journal.calls.at(-1)).toMatchObject({ key: nameOf(2), outcome: "pending" }));
  const discarded = layer.discardDeadLetter("key");
  await clock.advance(50);
  await put;
  expect([await discarded, await text(storage.get("key"))]).toEqual([false, "new"]);
  await storage.flush();
  expect(await text(below.get("key"))).toBe("new");
  await storage.close();
});

test("a listener that throws or rejects is counted and changes nothing", async () => {
  const throws = (): never => {
    throw new Error("of the listener");
  };
  const rejects: () => unknown = async () => throws();
  for (const onDeadLetter of [throws, rejects]) {
    const { clock, below, storage, layer } = setting({ onDeadLetter });
    below.on("put", "poison").fails(refused);
    await storage.put("poison", bytes("bad"));
    await storage.put("good", bytes("fine"));
    await clock.advance(100);
    expect([layer.stats().listenerErrors, await below.has("good")]).toEqual([1, true]);
  }
});

test("where dead letters take all the room, a write is refused and does not wait for ever", async () => {
  const { clock, below, storage, layer } = setting({ maxPending: 2 });
  below.on("put").fails(refused);
  await storage.put("a", bytes("1"));
  await storage.put("b", bytes("2"));
  const waiting = expect(storage.put("c", bytes("3"))).rejects.toMatchObject({ code: "full" });
  await clock.advance(100);
  await waiting;
  await expect(storage.put("c", bytes("3"))).rejects.toMatchObject({ code: "full" });
  below.reset();
  layer.retryDeadLetters();
  await clock.advance(0);
  await storage.put("c", bytes("3"));
  await storage.flush();
  expect((await below.list()).entries).toHaveLength(3);
  await storage.close();
});

test("a write that finds no room beside dead letters is refused, and holds up no smaller one", async () => {
  const { clock, below, storage, layer } = setting({ maxPendingSize: 100 });
  below.on("put", "dead").fails(refused);
  await storage.put("dead", large(1, 60));
  const early = expect(storage.put("early", large(2, 50))).rejects.toMatchObject({ code: "full" });
  const fits = storage.put("fits", large(3, 30));
  await clock.advance(100);
  await Promise.all([early, fits]);
  await storage.flush().catch(() => {});
  expect(layer.stats()).toMatchObject({ pending: 1, deadLetters: 1, waiting: 0 });
  await expect(storage.put("late", large(4, 50))).rejects.toMatchObject({ code: "full" });
  await storage.put("small", large(5, 1));
  const last = expect(storage.put("last", large(6, 50))).rejects.toMatchObject({ code: "full" });
  await clock.advance(100);
  await last;
  expect([await below.has("fits"), await below.has("small"), layer.stats().waiting]).toEqual([true, true, 0]);
});

test("a batch tries all of its writes where dead letters leave no room for some", async () => {
  const { clock, below, storage } = setting({ maxPendingSize: 100 });
  below.on("put", "dead").fails(refused);
  await storage.put("dead", large(1, 60));
  await clock.advance(100);
  const operations = [50, 10, 50, 20].map((size, at) => ({ type: "put", key: `key-${at}`, value: large(at, size) }) as const);
  const sent = expect(storage.batch(operations)).rejects.toMatchObject({
    code: "partial",
    failures: [
      { index: 0, key: "key-0", error: expect.objectContaining({ code: "full" }) },
      { index: 2, key: "key-2", error: expect.objectContaining({ code: "full" }) },
    ],
  });
  await clock.advance(1_000);
  await sent;
  expect([await storage.has("key-1"), await storage.has("key-3")]).toEqual([true, true]);
});

test("a full queue makes writes wait in their order, and an abort gives the place back at once", async () => {
  const { clock, below, storage, layer } = setting({ maxPending: 2 });
  const stuck = below.on("put").fails(down);
  await storage.put("a", bytes("1"));
  await storage.put("b", bytes("2"));
  const control = new AbortController();
  const order: string[] = [];
  const aborted = storage.put("c", bytes("3"), { signal: control.signal });
  const waiting = ["d", "e"].map((key) => storage.put(key, bytes(key)).then(() => order.push(key)));
  await clock.advance(1_000);
  expect([layer.stats().waiting, order]).toEqual([3, []]);
  control.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(layer.stats().waiting).toBe(2);
  void stuck;
  below.reset();
  await clock.advance(60_000);
  await Promise.all(waiting);
  await storage.flush();
  expect([order, (await below.list()).entries.map(({ key }) => key)]).toEqual([
    ["d", "e"],
    ["a", "b", "d", "e"],
  ]);
  await storage.close();
});

test("a signal ends a write while the storage below is asked whether it can hold the key", async () => {
  const { clock, below, storage, layer } = setting({ maxPending: 1 });
  Object.defineProperty(below, "capabilities", { value: { ...below.capabilities, anyKey: false } });
  below.on("put").fails(down);
  await storage.put("plain", bytes("1"));
  below.on("has").hangs();
  const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => storage.put("Ada", bytes("2"), { signal }),
    (signal) => storage.delete("Ada", { signal }),
    (signal) => storage.write("Ada", new Blob(["2"]), { signal }),
    (signal) => storage.batch([{ type: "put", key: "Ada", value: bytes("2") }], { signal }),
  ];
  for (const call of calls) {
    const control = new AbortController();
    const ended = expect(call(control.signal)).rejects.toThrow("enough");
    await vi.waitFor(() => expect(below.calls.at(-1)).toMatchObject({ operation: "has", outcome: "pending" }));
    control.abort(new Error("enough"));
    await ended;
  }
  await clock.advance(0);
  expect(layer.stats()).toMatchObject({ pending: 1, waiting: 0 });
});

test("close brings 500 pending writes below", async () => {
  const { below, storage, records, journal } = setting({ window: 1_000_000 });
  await Promise.all(Array.from({ length: 500 }, (_, index) => storage.put(`key-${index}`, bytes(String(index)))));
  const stored = below.calls.length;
  expect([stored, (await records()).length]).toEqual([0, 500]);
  const seen = { puts: 0, removed: 0 };
  await storage.close();
  for (const { operation } of below.calls) if (operation === "put") seen.puts++;
  for (const { operation } of journal.calls) if (operation === "batch" || operation === "delete") seen.removed++;
  expect([seen.puts, seen.removed > 0]).toEqual([500, true]);
});

test("close ends in time where the storage below is down, and says what is left and where", async () => {
  for (const journaled of [true, false]) {
    const { clock, below, storage } = setting(journaled ? {} : { journal: undefined });
    below.on("put").hangs();
    for (const key of ["a", "b", "c"]) await storage.put(key, bytes(key));
    const fate = journaled ? "stays in the journal" : "is lost";
    const closing = expect(storage.close()).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(`3 keys has not reached`),
    });
    const told = expect(storage.close()).rejects.toThrow(fate);
    await clock.advance(10_000);
    await Promise.all([closing, told]);
    await expect(storage.get("a")).rejects.toMatchObject({ code: "closed" });
    expect(clock.pending).toBe(0);
  }
});

test("an open that outlasts close starts nothing, and leaves the journal to the next one", async () => {
  const draft = { type: "put", key: "key", modifiedAt: 5, expiresAt: undefined, metadata: undefined } as const;
  for (const operation of ["list", "get", "put"] as const) {
    const { clock, below, journal, storage } = setting({ closeTimeout: 1_000 });
    await journal.put(nameOf(1), packRecord(draft, 1, bytes("value")).record);
    journal.on(operation).delays(5_000);
    below.on("put").fails(new StorageError("closed", "It is closed."));
    const reading = expect(storage.get("key")).rejects.toMatchObject({ code: "closed" });
    const closing = storage.close();
    await clock.advance(1_000);
    await closing;
    await clock.advance(60_000);
    await reading;
    expect([below.calls, clock.pending, await journal.has("owner")], operation).toEqual([[], 0, false]);
  }
});

test("close waits for reads that wait for the journal, also of several keys", async () => {
  const { clock, below, journal, storage } = setting();
  const draft = { type: "put", key: "key", modifiedAt: 5, expiresAt: undefined, metadata: undefined } as const;
  await journal.put(nameOf(1), packRecord(draft, 1, bytes("value")).record);
  await below.put("other", bytes("below"));
  journal.on("list").delays(50);
  const reading = storage.getEntries(["key", "other"]);
  const closing = storage.close();
  await clock.advance(50);
  expect((await reading).map((entry) => entry?.value)).toEqual([bytes("value"), bytes("below")]);
  await closing;
});

test("a call below that never answers is told to end, and holds up its key alone", async () => {
  const { clock, below, storage } = setting({ attemptTimeout: 1_000 });
  below.on("put", "slow").hangs();
  await storage.put("slow", bytes("1"));
  await storage.put("fast", bytes("2"));
  await clock.advance(100);
  expect([await below.has("fast"), await below.has("slow")]).toEqual([true, false]);
  below.reset();
  await clock.advance(5_000);
  expect(await text(below.get("slow"))).toBe("1");
  await storage.close();
});

test("a large value that is overtaken while it goes below holds up nothing", async () => {
  const { clock, below, storage, records } = setting({ window: 0 });
  for (let round = 1; round <= 20; round++) {
    await storage.write("key", new Blob([large(round)]));
    await storage.put("key", bytes(String(round)));
  }
  await clock.advance(0);
  expect([await text(below.get("key")), await records()]).toEqual(["20", []]);
  await storage.close();
});

test("a write that comes into the journal after a later one of its key is below is removed, and does not go below", async () => {
  const { clock, below, journal, storage, records } = setting({ window: 0 });
  journal.on("put", nameOf(1)).delays(500);
  await storage.has("key"); // opens the journal, so that the first put is the first record
  const control = new AbortController();
  const late = storage.put("key", bytes("late"), { signal: control.signal });
  const second = storage.put("key", bytes("new"));
  await clock.advance(0);
  await second;
  await clock.advance(100);
  control.abort(new Error("enough"));
  await expect(late).rejects.toThrow("enough");
  expect([await text(below.get("key")), await records()]).toEqual(["new", [nameOf(2)]]);
  await clock.advance(400);
  expect([await text(below.get("key")), await text(storage.get("key")), await records()]).toEqual(["new", "new", []]);
  await storage.close();
});

test("a process that lost its journal to another one stops, and says so", async () => {
  const { clock, below, storage, again } = setting();
  await storage.put("key", bytes("old"));
  const next = again();
  await next.put("key", bytes("new"));
  await next.flush();
  await clock.advance(200);
  await expect(storage.put("key", bytes("late"))).rejects.toMatchObject({ code: "conflict", retryable: false });
  await expect(storage.get("key")).rejects.toMatchObject({ code: "conflict" });
  await expect(storage.flush()).rejects.toMatchObject({ code: "conflict" });
  expect(await text(next.get("key"))).toBe("new");
  await expect(storage.close()).rejects.toMatchObject({ code: "conflict" });
  void below;
});

test("a closed storage leaves an empty journal", async () => {
  const { journal, storage, again } = setting();
  await storage.put("key", bytes("a"));
  await storage.close();
  expect((await journal.list()).entries).toEqual([]);
  const next = again();
  await next.put("key", bytes("b"));
  await next.close();
  expect((await journal.list()).entries).toEqual([]);
});

test("who closes after another process has opened the journal leaves it to that", async () => {
  const { clock, journal, storage, again } = setting();
  await storage.get("key");
  const next = again();
  await next.put("key", bytes("new"));
  await storage.close();
  expect(await journal.has("owner")).toBe(true);
  await clock.advance(200);
  expect(await text(next.get("key"))).toBe("new");
  await next.close();
  expect((await journal.list()).entries).toEqual([]);
});

test("a journal that cannot remove its owner under a condition keeps it, and the next start goes on", async () => {
  const { journal, again } = setting();
  const open = (): ByteStorage => again({ journal: new Unconditional(journal) });
  for (const value of ["a", "b"]) {
    const storage = open();
    await storage.put("key", bytes(value));
    await storage.close();
    expect((await journal.list()).entries.map(({ key }) => key)).toEqual(["owner"]);
  }
});

test("a journal that hangs when its owner is removed holds close up for its time and no longer", async () => {
  const { clock, journal, storage } = setting({ closeTimeout: 1_000 });
  await storage.get("key");
  journal.on("delete", "owner").hangs();
  const closing = storage.close();
  await clock.advance(1_000);
  await closing;
});

test("clear empties the storage below at once and drops what is pending, under its prefix alone", async () => {
  const { below, storage, records } = setting({ window: 1_000_000 });
  await below.put("a/below", bytes("1"));
  for (const key of ["a/1", "a/2", "b"]) await storage.put(key, bytes(key));
  await storage.clear({ prefix: "a/" });
  expect([(await storage.list()).entries.map(({ key }) => key), await below.has("a/below"), await records()]).toEqual([
    ["b"],
    false,
    [nameOf(3)],
  ]);
  await storage.close();
});

test("a clear that fails leaves what is pending, and writes wait for its end", async () => {
  const { clock, below, storage } = setting();
  await storage.put("a/1", bytes("old"));
  below.on("clear").fails(refused, { times: 1 });
  await expect(storage.clear({ prefix: "a/" })).rejects.toBe(refused);
  expect(await text(storage.get("a/1"))).toBe("old");
  below.on("clear").delays(50);
  const cleared = storage.clear({ prefix: "a/" }).then(() => "cleared");
  const put = storage.put("a/1", bytes("new")).then(() => "put");
  const other = storage.put("b", bytes("other")).then(() => "other");
  expect(await Promise.race([cleared, put, other])).toBe("other");
  await clock.advance(1_000);
  expect([await cleared, await put, await text(storage.get("a/1"))]).toEqual(["cleared", "put", "new"]);
  await storage.flush();
  expect(await text(below.get("a/1"))).toBe("new");
  await storage.close();
});

test("a value that is larger than all room goes below before it is acknowledged, in the place of what is pending", async () => {
  for (const streamed of [true, false]) {
    const { below, storage, records } = setting({ window: 1_000_000, maxPendingSize: 1_000 });
    await storage.put("key", bytes("old"));
    if (streamed) await storage.write("key", new Blob([large(1)]), { size: 200_000 });
    else await storage.put("key", large(1));
    expect([await below.get("key"), await storage.get("key"), await records()]).toEqual([large(1), large(1), []]);
    await storage.batch([{ type: "put", key: "key", value: large(2) }]);
    expect(await below.get("key")).toEqual(large(2));
    await storage.close();
  }
});

test("a write ends and cancels its source when a storage fails that waits for the source", async () => {
  for (const place of ["below", "journal"] as const) {
    const idle = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<unknown>();
    const source = new ReadableStream<Bytes>({
      start: (controller) => controller.enqueue(large(1)),
      pull: () => idle.resolve(),
      cancel: (reason) => cancelled.resolve(reason),
    });
    const failing = new Resetting(idle.promise);
    const storage = place === "below" ? behind({ maxPendingSize: 100 })(failing) : behind({ journal: failing })(memoryStorage());
    await expect(storage.write("key", source), place).rejects.toBe(down);
    expect(await cancelled.promise, place).toBe(down);
  }
});

test("a large value is streamed into the journal and out of it, and read from there while it is pending", async () => {
  const { below, journal, storage } = setting({ window: 1_000_000 });
  const value = large(1, 300_000).map((_, index) => index % 251);
  await storage.write("key", new Blob([value]), { metadata: { kind: "blob" } });
  expect([await storage.get("key"), (await storage.head("key"))?.size]).toEqual([value, 300_000]);
  const part = await storage.read("key", { start: 100_000, end: -100_000 });
  expect(new Uint8Array(await new Response(part!.value).arrayBuffer())).toEqual(value.slice(100_000, 200_000));
  await storage.flush();
  expect(await below.getEntry("key")).toMatchObject({ value, metadata: { kind: "blob" } });
  expect(below.calls.some(({ operation }) => operation === "write")).toBe(true);
  expect(journal.calls.some(({ operation }) => operation === "write")).toBe(true);
  await storage.close();
});

test("a value that changed in the journal is not passed off as what was written", async () => {
  const { clock, below, journal, storage, layer } = setting();
  await storage.put("key", large(1));
  const record = (await journal.get(nameOf(1)))!;
  record[100_000]! ^= 1;
  await journal.put(nameOf(1), record);
  await expect(storage.get("key")).rejects.toMatchObject({ code: "corrupt" });
  await clock.advance(100);
  expect([await below.has("key"), layer.deadLetters().map(({ key }) => key)]).toEqual([false, ["key"]]);
});

test("what expires before it gets below is a delete there", async () => {
  const { clock, below, storage } = setting({ window: 1_000 });
  await below.put("key", bytes("old"));
  await storage.put("key", bytes("new"), { ttl: 500 });
  expect(await text(storage.get("key"))).toBe("new");
  await clock.advance(500);
  expect([await storage.has("key"), (await storage.list()).entries]).toEqual([false, []]);
  await clock.advance(500);
  expect(await below.has("key")).toBe(false);
  await storage.close();
});

test("durability is that of the journal, and memory without one", () => {
  const named = (durability: "memory" | "process" | "power"): ByteStorage => {
    const storage = memoryStorage();
    Object.defineProperty(storage, "capabilities", { value: { ...storage.capabilities, durability } });
    return storage;
  };
  expect(behind({ journal: named("power") })(named("process")).capabilities.durability).toBe("power");
  expect(behind({ journal: named("process") })(named("power")).capabilities.durability).toBe("process");
  expect(behind()(named("power")).capabilities).toMatchObject({ durability: "memory", shared: false, conditions: [], atomicBatch: false });
});

test("a storage below that is less safe than the journal is flushed before a record goes", async () => {
  const { clock, below, journal, storage, records, layer } = setting();
  Object.defineProperty(journal, "capabilities", { value: { ...journal.capabilities, durability: "power" } });
  below.on("flush").fails(down, { times: 3 });
  await storage.put("key", bytes("value"));
  await clock.advance(100);
  expect([await below.has("key"), await records()]).toEqual([true, [nameOf(1)]]);
  await clock.advance(120_000);
  expect([await records(), layer.stats().written > 1]).toEqual([[], true]);
  await storage.close();
});

test("what goes past the journal is flushed below where that is less safe, before it is acknowledged", async () => {
  const changes: readonly ((storage: ByteStorage, signal?: AbortSignal) => Promise<unknown>)[] = [
    (storage, signal) => storage.put("key", large(1), { signal }),
    (storage, signal) => storage.write("key", new Blob([large(1)]), { size: 200_000, signal }),
    (storage, signal) => storage.clear({ signal }),
  ];
  for (const change of changes) {
    for (const pending of [true, false]) {
      const { below, journal, storage, records } = setting({ window: 1_000_000, maxPendingSize: 1_000 });
      Object.defineProperty(journal, "capabilities", { value: { ...journal.capabilities, durability: "power" } });
      if (pending) await storage.put("key", bytes("old"));
      below.on("flush").fails(down, { times: 1 });
      await expect(change(storage)).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
      expect(await records()).toHaveLength(pending ? 1 : 0);
      below.on("flush").hangs({ times: 1 });
      const control = new AbortController();
      const aborted = expect(change(storage, control.signal)).rejects.toThrow("enough");
      await vi.waitFor(() => expect(below.calls.at(-1)).toMatchObject({ operation: "flush", outcome: "pending" }));
      control.abort(new Error("enough"));
      await aborted;
      await change(storage);
      expect([below.calls.filter(({ operation }) => operation === "flush").length, await records()]).toEqual([3, []]);
      await storage.close();
    }
  }
});

test("options that make no sense are refused when the layer is made", () => {
  const wrong: BehindOptions[] = [
    { window: -1 },
    { maxPending: 0 },
    { maxPendingSize: 1.5 },
    { concurrency: 0 },
    { minDelay: 10, maxDelay: 5 },
    { journal: {} as ByteStorage },
    { onDeadLetter: 5 as never },
    { windows: 5 } as BehindOptions,
  ];
  for (const options of wrong)
    expect(() => behind(options), JSON.stringify(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  const storage = memoryStorage();
  expect(() => behind({ journal: storage })(storage)).toThrow(/another storage/);
  expect(() => stack(memoryStorage<string>({ values: "any" }) as unknown as ByteStorage, behind())).toThrow(/below the codec/);
});

test("nothing is pending once flush has resolved, in memory and with a journal", async () => {
  for (const journal of [undefined, memoryStorage()]) {
    const storage = behind({ journal })(memoryStorage());
    await storage.put("a", new Uint8Array(10));
    await storage.put("b", new Uint8Array(20));
    const layer = findLayer(storage, BehindStorage)!;
    expect(layer.stats()).toMatchObject({ pending: 2, pendingSize: 30 });
    await storage.flush();
    expect(layer.stats()).toMatchObject({ pending: 0, pendingSize: 0, written: 2 });
    await storage.close();
  }
});
