import { inspect } from "node:util";
import type { Bytes, Entry, ReadOptions } from "@stowage/core";
import { findLayer, makeHeader, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import type { SuiteName } from "./index.ts";
import { encrypted, EncryptedStorage } from "./index.ts";
import {
  bytesOf,
  collect,
  failed,
  first,
  mebibyte,
  piecesOf,
  same,
  second,
  secretOf,
  setUp,
  Streaming,
  Watched,
} from "./testing/set-up.ts";

const chunk = 65_536;
const sizes = [0, 1, 1000, chunk - 1, chunk, chunk + 1, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte, 2 * mebibyte + 1, 3_500_000];

for (const suite of ["xchacha20-poly1305", "aes-256-gcm", "auto"] satisfies (SuiteName | "auto")[]) {
  test(`${suite} gives back what was put and what was written, whole and as a stream, and stores none of it`, async () => {
    const { memory, storage } = setUp({ suite });
    for (const size of sizes) {
      const value = bytesOf(size);
      expect(await storage.put("put", value)).toMatchObject({ key: "put", size });
      expect(await storage.write("written", piecesOf(value))).toMatchObject({ key: "written", size });
      for (const key of ["put", "written"]) {
        expect(same(await storage.get(key), value)).toBe(true);
        expect(await storage.getEntry(key)).toMatchObject({ key, size });
        const entry = await storage.read(key);
        expect(entry).toMatchObject({ key, size });
        expect(same(await collect(entry), value)).toBe(true);
        if (size >= 16) expect(Buffer.from((await memory.get(key)) as Bytes).includes(Buffer.from(value.slice(-16)))).toBe(false);
      }
    }
  });
}

test("a value takes at most 160 bytes more, and 16 for each chunk", async () => {
  const { memory, storage } = setUp();
  for (const size of sizes) {
    const chunks = Math.max(1, Math.ceil(size / (size <= mebibyte ? chunk : mebibyte)));
    await storage.put("put", bytesOf(size));
    await storage.write("written", piecesOf(bytesOf(size)));
    for (const key of ["put", "written"]) expect((await memory.head(key))?.size).toBe(158 + size + 16 * chunks);
  }
});

test("head and list tell the size without reading, and always the right one", async () => {
  const mock = mockStorage();
  const storage = encrypted({ keys: [first] })(new Streaming(mock));
  for (const size of sizes.filter((each) => Math.abs(each - mebibyte) > 1)) {
    await storage.put("a", bytesOf(size));
    expect((await storage.head("a"))?.size).toBe(size);
    expect((await storage.list({ info: true })).entries).toMatchObject([{ key: "a", size }]);
  }
  expect(mock.calls.filter(({ operation }) => operation === "read" || operation.startsWith("get"))).toEqual([]);
});

test("around 1 MiB, where two values take the same room, the header tells which it is", async () => {
  const { storage } = setUp();
  for (const size of [mebibyte - 224, mebibyte - 100, mebibyte, mebibyte + 1, mebibyte + 100, mebibyte + 224, mebibyte + 225]) {
    await storage.put("a", bytesOf(size));
    expect((await storage.head("a"))?.size).toBe(size);
    expect((await storage.list({ info: true })).entries).toMatchObject([{ key: "a", size }]);
  }
});

test("every range is the same part as of the plain value", async () => {
  for (const size of [0, 10, 3 * chunk + 5, 3 * mebibyte + 10]) {
    const { storage } = setUp();
    const value = bytesOf(size);
    await storage.put("a", value);
    const bounds = [0, 1, 9, chunk - 1, chunk, chunk + 1, 2 * chunk, mebibyte, 2 * mebibyte - 1, size - 1, size, size + 5, -1, -5, -chunk];
    for (const start of bounds) {
      for (const end of [undefined, ...bounds]) {
        const entry = await storage.read("a", { start, end });
        expect(entry?.size).toBe(size);
        const part = await collect(entry);
        if (!same(part, value.slice(start, end))) expect.fail(`${start} to ${end} of ${size}`);
      }
    }
  }
});

test("a range reads the header once, and then only the chunks that it touches", async () => {
  const mock = mockStorage();
  const storage = encrypted({ keys: [first] })(new Streaming(mock));
  await storage.put("a", bytesOf(5 * mebibyte + 10));
  const reads = (): unknown[] => mock.calls.filter(({ operation }) => operation === "read").map(({ options }) => options);
  const stored = mebibyte + 16;
  await collect(await storage.read("a", { start: 2 * mebibyte + 5, end: 2 * mebibyte + 10 }));
  expect(reads()).toMatchObject([
    { start: 0, end: 174 + chunk },
    { start: 154 + 2 * stored, end: 154 + 3 * stored },
  ]);
  await collect(await storage.read("a", { start: mebibyte, end: 3 * mebibyte }));
  expect(reads().slice(2)).toMatchObject([{ start: 154 + stored, end: 154 + 3 * stored }]);
});

test("a part of a small value is one inner read", async () => {
  const mock = mockStorage();
  const storage = encrypted({ keys: [first] })(new Streaming(mock));
  await storage.put("a", bytesOf(chunk));
  expect(same(await collect(await storage.read("a", { start: -100, end: -50 })), bytesOf(chunk).slice(-100, -50))).toBe(true);
  expect(mock.calls.filter(({ operation }) => operation === "read")).toHaveLength(1);
});

test("over storages without etags, that buffer, and without streams, it is all the same", async () => {
  class WithoutEtags extends Streaming {
    override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
      const entry = await super.read(key, options);
      return entry && { key, value: entry.value };
    }
  }
  const value = bytesOf(2 * mebibyte + 10);
  for (const inner of [new WithoutEtags(memoryStorage()), memoryStorage()]) {
    const storage = encrypted({ keys: [first] })(inner);
    await storage.put("a", value);
    expect(same(await collect(await storage.read("a")), value)).toBe(true);
    expect(same(await collect(await storage.read("a", { start: mebibyte - 5, end: -5 })), value.slice(mebibyte - 5, -5))).toBe(true);
  }
  const whole = encrypted({ keys: [first] })(new Streaming(memoryStorage(), { streams: "none" }));
  await whole.put("a", value);
  expect(same(await whole.get("a"), value)).toBe(true);
  expect(await whole.read("a").catch(failed)).toMatchObject({ code: "unsupported" });
});

test("values of both suites are read, whichever is chosen for new ones", async () => {
  const memory = memoryStorage();
  for (const suite of ["xchacha20-poly1305", "aes-256-gcm"] as const) {
    await encrypted({ keys: [first], suite })(memory).put(suite, bytesOf(1000));
  }
  const suites = await Promise.all(["xchacha20-poly1305", "aes-256-gcm"].map(async (key) => (await memory.get(key))?.[15]));
  expect(suites).toEqual([1, 2]);
  for (const suite of ["xchacha20-poly1305", "aes-256-gcm"] as const) {
    const storage = encrypted({ keys: [first], suite })(memory);
    for (const key of ["xchacha20-poly1305", "aes-256-gcm"]) expect(same(await storage.get(key), bytesOf(1000))).toBe(true);
  }
});

test("the same value under the same key is stored differently each time", async () => {
  const { memory, storage } = setUp();
  await storage.put("a", bytesOf(100));
  const once = (await memory.get("a")) as Bytes;
  await storage.put("a", bytesOf(100));
  const twice = (await memory.get("a")) as Bytes;
  expect(same(once.subarray(0, 82), twice.subarray(0, 82))).toBe(true);
  expect(same(once.subarray(82, 154), twice.subarray(82, 154))).toBe(false);
  expect(same(once.subarray(154), twice.subarray(154))).toBe(false);
});

test("an entry that is moved to another key or read in another context is tampered", async () => {
  const { memory, storage } = setUp({ context: "production" });
  await storage.put("users/ada", bytesOf(1000));
  const stored = (await memory.get("users/ada")) as Bytes;
  for (const name of ["users/ad", "users/ada2", "users", "USERS/ADA", "a"]) {
    await memory.put(name, stored);
    for (const call of [storage.get(name), storage.getEntry(name), storage.read(name), storage.read(name, { start: 1, end: 2 })]) {
      expect(await call.catch(failed)).toMatchObject({ code: "tampered", key: name, storage: "encrypted" });
    }
  }
  for (const context of ["", "production2", "productio"]) {
    expect(
      await encrypted({ keys: [first], context })(memory)
        .get("users/ada")
        .catch(failed),
    ).toMatchObject({ code: "tampered" });
  }
  // What is context and what is name cannot be shifted against each other.
  await memory.put("nusers/ada", stored);
  expect(
    await encrypted({ keys: [first], context: "productio" })(memory)
      .get("nusers/ada")
      .catch(failed),
  ).toMatchObject({ code: "tampered" });
});

test("a wrong key, a key that is not there, tampering, truncation and an unknown format have codes of their own", async () => {
  const { memory, storage } = setUp();
  await storage.put("a", bytesOf(1000));
  const stored = (await memory.get("a")) as Bytes;
  expect(
    await encrypted({ keys: [{ ...first, secret: secretOf(9) }] })(memory)
      .get("a")
      .catch(failed),
  ).toMatchObject({ code: "wrong-key" });
  expect(
    await encrypted({ keys: [second] })(memory)
      .get("a")
      .catch(failed),
  ).toMatchObject({ code: "unknown-key" });
  const changed = stored.slice();
  changed[200] = (changed[200] as number) ^ 1;
  for (const [bytes, code] of [
    [changed, "tampered"],
    [stored.slice(0, 500), "corrupt"],
    [new Uint8Array([...makeHeader("encrypted", 2), 1, 2, 3]), "unsupported"],
    [bytesOf(300), "corrupt"],
  ] as const) {
    await memory.put("a", bytes);
    expect(await storage.get("a").catch(failed)).toMatchObject({ code, key: "a", storage: "encrypted" });
    expect(await storage.read("a").then(collect).catch(failed)).toMatchObject({ code });
  }
});

test("an entry under the id of another key is refused, also where both ids have the same secret", async () => {
  const other = { id: "2026-12", secret: first.secret };
  const { memory, storage } = setUp({ keys: [first, second, other] });
  await storage.put("a", bytesOf(100));
  const stored = (await memory.get("a")) as Bytes;
  for (const [id, code] of [
    [second.id, "wrong-key"],
    [other.id, "tampered"],
    ["2030-01", "unknown-key"],
  ] as const) {
    const moved = stored.slice();
    moved.set(Buffer.from(id), 18);
    await memory.put("a", moved);
    expect(await storage.get("a").catch(failed)).toMatchObject({ code });
  }
});

test("a value that another layer wrote names that layer", async () => {
  const { memory, storage } = setUp();
  await memory.put("a", new Uint8Array([...makeHeader("envelope", 1), ...bytesOf(200)]));
  for (const call of [storage.get("a"), storage.read("a")]) {
    const error = await call.catch(failed);
    expect(error).toMatchObject({ code: "corrupt", key: "a" });
    expect((error as Error).message).toContain('"envelope"');
  }
});

test("metadata is refused before anything is stored, and that of what is below is not shown", async () => {
  const { memory, storage } = setUp();
  expect(storage.capabilities.metadata).toBe(false);
  expect(memory.capabilities.metadata).toBe(true);
  const metadata = { "content-type": "text/plain" };
  let cancelled = false;
  const source = new ReadableStream<Bytes>({ cancel: () => void (cancelled = true) });
  expect(await storage.put("a", bytesOf(1), { metadata }).catch(failed)).toMatchObject({ code: "unsupported" });
  expect(await storage.write("a", source, { metadata }).catch(failed)).toMatchObject({ code: "unsupported" });
  expect(await storage.batch([{ type: "put", key: "a", value: bytesOf(1), options: { metadata } }]).catch(failed)).toMatchObject({
    code: "unsupported",
  });
  expect(cancelled).toBe(true);
  expect(await memory.has("a")).toBe(false);
  await storage.put("a", bytesOf(1));
  await memory.put("a", (await memory.get("a")) as Bytes, { metadata });
  for (const info of [await storage.head("a"), await storage.getEntry("a"), (await storage.list({ info: true })).entries[0]]) {
    expect(info).not.toHaveProperty("metadata");
  }
});

test("a value from before this layer is corrupt, and given as it is until the date of legacy, counted", async () => {
  const clock = new VirtualClock();
  const memory = new Streaming(memoryStorage({ clock }));
  await memory.put("old", bytesOf(5000));
  await memory.put("empty", new Uint8Array());
  const strict = encrypted({ keys: [first], clock })(memory);
  for (const key of ["old", "empty"]) {
    for (const call of [strict.get(key), strict.read(key), strict.read(key, { start: 1, end: 2 })]) {
      expect(await call.catch(failed)).toMatchObject({ code: "corrupt", key });
    }
  }
  const lenient = encrypted({ keys: [first], clock, legacy: { until: clock.now() + 1000 } })(memory);
  expect(same(await lenient.get("old"), bytesOf(5000))).toBe(true);
  expect(await lenient.get("empty")).toEqual(new Uint8Array());
  expect(same(await collect(await lenient.read("old", { start: -10 })), bytesOf(5000).slice(-10))).toBe(true);
  expect(same(await collect(await lenient.read("old", { start: -10 })), bytesOf(5000).slice(-10))).toBe(true);
  expect(lenient.details().stats).toEqual({ legacyReads: 4 });
  await lenient.put("new", bytesOf(100));
  expect(await lenient.head("new")).not.toHaveProperty("size"); // it could be plaintext
  expect(await lenient.read("new")).toMatchObject({ size: 100 });
  // What is encrypted is never taken for plaintext, however it is damaged.
  const stored = (await memory.get("new")) as Bytes;
  for (const size of [5, 14, 15, 153, 200]) {
    await memory.put("new", stored.slice(0, size));
    expect(await lenient.get("new").catch(failed)).toMatchObject({ code: "corrupt" });
  }
  await clock.advance(1000);
  for (const call of [lenient.get("old"), lenient.read("old"), lenient.read("old", { start: -10 })]) {
    expect(await call.catch(failed)).toMatchObject({ code: "corrupt" });
  }
});

test("a range behind the end of a value that was cut off is refused, as it would say that the value is over", async () => {
  const { memory, storage } = setUp();
  for (const size of [0, 100, 2 * chunk, 2 * mebibyte]) {
    await storage.put("a", bytesOf(size));
    const over = await storage.read("a", { start: size + 5 });
    expect(over?.size).toBe(size);
    expect(await collect(over)).toEqual(new Uint8Array());
  }
  await storage.put("a", bytesOf(3 * chunk));
  const stored = (await memory.get("a")) as Bytes;
  await memory.put("a", stored.slice(0, 154 + 2 * (chunk + 16) + 4)); // cut so that the length fits
  expect((await storage.head("a"))?.size).toBe(2 * chunk);
  expect(same(await collect(await storage.read("a", { end: chunk })), bytesOf(3 * chunk).slice(0, chunk))).toBe(true);
  for (const start of [chunk, 2 * chunk, 5 * chunk, -1]) {
    expect(await storage.read("a", { start }).then(collect).catch(failed)).toMatchObject({ code: "corrupt" });
  }
});

test("a range behind the end of a value that was cut off leaves no stream open below", async () => {
  const memory = new Watched(memoryStorage(), {}, { etags: false });
  const storage = encrypted({ keys: [first] })(memory);
  await storage.put("a", bytesOf(4 * chunk));
  const over = await storage.read("a", { start: 5 * chunk });
  expect(await collect(over)).toEqual(new Uint8Array());
  expect(memory.ended).toEqual(memory.opened);
  await memory.put("a", ((await memory.get("a")) as Bytes).slice(0, 154 + 3 * (chunk + 16) + 4));
  expect(await storage.read("a", { start: 5 * chunk }).catch(failed)).toMatchObject({ code: "corrupt" });
  expect(memory.opened).toHaveLength(4);
  expect(memory.ended).toEqual(memory.opened);
});

test("close waits for a range behind the end, which is two reads, and for a rewrap", async () => {
  for (const [call, answer] of [
    [(storage: EncryptedStorage) => storage.read("a", { start: 50 }).then(collect), new Uint8Array()],
    [(storage: EncryptedStorage) => storage.rewrap("a"), "rewrapped"],
  ] as const) {
    const order: string[] = [];
    let closing: Promise<unknown> | undefined;
    class Below extends Streaming {
      override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
        closing ??= storage.close().then(() => order.push("closed"));
        return await super.read(key, options);
      }
    }
    const clock = new VirtualClock();
    const memory = new Below(memoryStorage({ clock }));
    const storage = encrypted({ keys: [second, first], clock })(memory) as EncryptedStorage;
    await encrypted({ keys: [first], clock })(memory).put("a", bytesOf(10));
    expect(await call(storage)).toEqual(answer);
    order.push("answered");
    await closing;
    expect(order).toEqual(["answered", "closed"]);
    expect(await call(storage).catch(failed)).toMatchObject({ code: "closed" });
  }
});

test("nothing of a chunk leaves before its tag is right: a stream ends with the error in place of the bad chunk", async () => {
  for (const suite of ["xchacha20-poly1305", "aes-256-gcm"] as const) {
    const { memory, storage } = setUp({ suite });
    const value = bytesOf(3 * mebibyte + 10);
    await storage.put("a", value);
    const stored = (await memory.get("a")) as Bytes;
    stored[154 + 2 * (mebibyte + 16) + 5] = 99;
    await memory.put("a", stored);
    const received: Bytes[] = [];
    const entry = (await storage.read("a")) as Entry<ReadableStream<Bytes>>;
    const error = await (async () => {
      for await (const piece of entry.value) received.push(piece);
    })().catch(failed);
    expect(error).toMatchObject({ code: "tampered", key: "a" });
    expect(same(Buffer.concat(received), value.slice(0, 2 * mebibyte))).toBe(true);
  }
});

test("secrets are in nothing that is printed, and gone after close", async () => {
  const secret = new Uint8Array(Buffer.from("a very secret key of 32 bytes!!!"));
  const passphrase = "correct horse battery staple";
  const clock = new VirtualClock();
  const storage = encrypted({
    keys: [
      { id: "bytes", secret },
      { id: "pass", passphrase, salt: new Uint8Array(16).fill(3) },
    ],
    clock,
  })(memoryStorage({ clock }));
  await storage.put("a", bytesOf(10));
  const printed = [
    inspect(storage, { depth: 20, showHidden: true }),
    JSON.stringify(storage, (_, value: unknown) => (value instanceof Map ? [...value] : value)),
    JSON.stringify(storage.details()),
    inspect(await storage.get("b\0").catch(failed), { depth: 20 }),
    inspect(encrypted({ keys: [{ id: "k", secret }] }), { depth: 20 }),
  ].join("\n");
  for (const trace of [
    passphrase,
    "secret key of",
    Buffer.from(secret).toString("hex"),
    Buffer.from(secret).toString("base64"),
    [...secret].join(","),
  ]) {
    expect(printed).not.toContain(trace);
  }
  expect(printed).not.toContain(inspect(secret).slice(20, 60));
  expect(storage.details().options).toEqual({
    keys: ["bytes", "pass"],
    current: "bytes",
    suite: "auto",
    context: undefined,
    legacy: undefined,
  });

  await storage.close();
  expect(secret[0]).toBe("a".charCodeAt(0)); // that of the caller stays the caller's
  expect(await storage.get("a").catch(failed)).toMatchObject({ code: "closed" });
});

test("the layer is found in a stack", () => {
  expect(findLayer(stack(memoryStorage(), encrypted({ keys: [first] })), EncryptedStorage)).toBeInstanceOf(EncryptedStorage);
});

test("calls at once do not get into each other's way", async () => {
  const { storage } = setUp();
  const values = Array.from({ length: 60 }, (_, index) => bytesOf(index % 3 === 0 ? mebibyte + index : index * 3000));
  await Promise.all(
    values.map((value, index) => (index % 2 === 0 ? storage.put(`${index}`, value) : storage.write(`${index}`, piecesOf(value)))),
  );
  const found = await Promise.all(
    values.map((_, index) => (index % 3 === 0 ? storage.read(`${index}`).then(collect) : storage.get(`${index}`))),
  );
  for (const [index, value] of values.entries()) expect(same(found[index], value)).toBe(true);
});
