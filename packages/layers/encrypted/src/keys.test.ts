import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteLayer, Bytes } from "@stowage/core";
import { borrowed, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { EncryptedOptions, EncryptedStorage, KeyOptions } from "./index.ts";
import { encrypted } from "./index.ts";
import { KeyRing } from "./key-ring.ts";
import { plugins } from "./plugin.ts";
import { argon2id } from "./sodium.ts";
import { bytesOf, failed, first, mebibyte, piecesOf, same, second, secretOf, Streaming } from "./testing/set-up.ts";
import { roomForDataKey, Wrapping } from "./wrapping.ts";

vi.mock("./sodium.ts", { spy: true });

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

test("the first key writes, all read, and current names another to write", async () => {
  const memory = memoryStorage();
  await encrypted({ keys: [first] })(memory).put("old", bytesOf(10));
  const storage = encrypted({ keys: [second, first] })(memory);
  await storage.put("new", bytesOf(20));
  expect(same(await storage.get("old"), bytesOf(10))).toBe(true);
  expect(same(await storage.get("new"), bytesOf(20))).toBe(true);
  const idOf = async (key: string): Promise<string> => Buffer.from((await memory.get(key)) as Bytes).toString("ascii", 18, 25);
  expect([await idOf("old"), await idOf("new")]).toEqual([first.id, second.id]);
  await encrypted({ keys: [second, first], current: first.id })(memory).put("new", bytesOf(20));
  expect(await idOf("new")).toBe(first.id);
});

test("keys come as bytes, from the environment, a file or a function, and are all the same key", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stowage-encrypted-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
  const file = join(folder, "key");
  await writeFile(file, `${Buffer.from(first.secret).toString("base64")}\n`);
  process.env["STOWAGE_TEST_KEY"] = Buffer.from(first.secret).toString("hex");
  const memory = memoryStorage();
  await encrypted({ keys: [first] })(memory).put("a", bytesOf(10));
  for (const secret of [{ fromEnv: "STOWAGE_TEST_KEY" }, { fromFile: file }, () => first.secret, async () => Buffer.from(first.secret)]) {
    expect(same(await encrypted({ keys: [{ id: first.id, secret }] })(memory).get("a"), bytesOf(10))).toBe(true);
  }
  delete process.env["STOWAGE_TEST_KEY"];
});

test("a function is asked when its key is first needed, once for many calls, and again after it failed", async () => {
  let asked = 0;
  let down = true;
  const memory = memoryStorage();
  const storage = encrypted({
    keys: [
      first,
      {
        id: "kms",
        async secret() {
          asked++;
          if (down) throw new Error("the service is down");
          return secretOf(5);
        },
      },
    ],
  })(memory);
  await encrypted({ keys: [{ id: "kms", secret: secretOf(5) }] })(memory).put("a", bytesOf(10));
  await storage.put("b", bytesOf(5));
  await storage.get("b");
  expect(asked).toBe(0);
  const error = await storage.get("a").catch(failed);
  expect(error).toMatchObject({ code: "unavailable", retryable: true, storage: "encrypted" });
  expect((error as StorageError).cause).toMatchObject({ message: "the service is down" });
  expect(asked).toBe(1);
  down = false;
  const values = await Promise.all(Array.from({ length: 10 }, () => storage.get("a")));
  for (const value of values) expect(same(value, bytesOf(10))).toBe(true);
  await storage.get("a");
  expect(asked).toBe(2);
});

test("what a function gives is checked, and an error with a code arrives as it is", async () => {
  const ring = (secret: () => Uint8Array | Promise<Uint8Array>) => encrypted({ keys: [{ id: "kms", secret }] })(memoryStorage());
  for (const bad of [new Uint8Array(31), new Uint8Array(32), "text" as unknown as Uint8Array]) {
    expect(
      await ring(() => bad)
        .put("a", bytesOf(1))
        .catch(failed),
    ).toMatchObject({ code: "invalid-option" });
  }
  const denied = new StorageError("denied", "No.");
  expect(
    await ring(() => Promise.reject(denied))
      .put("a", bytesOf(1))
      .catch(failed),
  ).toBe(denied);
});

test("close overwrites the keys, also one that arrives later", async () => {
  const secrets = [secretOf(1), secretOf(2), secretOf(3)] as const;
  let arrive: (() => void) | undefined;
  const ring = new KeyRing(
    new Map<string, Bytes | (() => Promise<Bytes>)>([
      ["bytes", secrets[0]],
      ["fetched", async () => secrets[1]],
      ["late", () => new Promise((resolve) => (arrive = () => resolve(secrets[2])))],
    ]),
    "fetched",
  );
  await ring.current();
  const header = new Uint8Array(154);
  header.set([4, ...Buffer.from("late")], 17);
  const late = Promise.resolve(ring.find(header)).catch(failed);
  ring.close();
  arrive?.();
  expect(await late).toMatchObject({ code: "closed" });
  for (const secret of secrets) expect(secret.every((byte) => byte === 0)).toBe(true);
  expect(await Promise.resolve(ring.current()).catch(failed)).toMatchObject({ code: "closed" });
});

test("a key that was handed out before close neither wraps nor unwraps after it", async () => {
  const ring = new KeyRing(new Map([["a", secretOf(1)]]), "a");
  const wrapping = new Wrapping("");
  const key = await ring.current();
  const [header, dataKey] = [new Uint8Array(154), roomForDataKey()];
  wrapping.begin(header, dataKey, key, 1, 16, "name");
  expect(wrapping.unwrap(header, dataKey, key, "name")).toBeUndefined();
  ring.close();
  const closed = expect.objectContaining({ code: "closed" });
  expect(() => wrapping.begin(header, dataKey, key, 1, 16, "name")).toThrow(closed);
  expect(() => wrapping.unwrap(header, dataKey, key, "name")).toThrow(closed);
});

for (const size of [10, 2 * mebibyte]) {
  test(`a write of ${size} bytes whose source is slower than close is refused, and never sealed with a key that was wiped`, async () => {
    for (const closes of [false, true]) {
      const clock = new VirtualClock();
      const memory = memoryStorage({ clock });
      const open = () => stack(memory, borrowed(), encrypted({ keys: [first], clock }));
      const storage = open();
      const [asked, given] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      async function* slow(): AsyncGenerator<Bytes, void, void> {
        asked.resolve();
        await given.promise;
        yield* piecesOf(bytesOf(size));
      }
      const written = storage.write("a", slow()).then(() => "stored", failed);
      await asked.promise;
      if (closes) {
        const closing = storage.close();
        await clock.advance(10_000);
        await closing;
      }
      given.resolve();
      if (closes) expect(await written).toMatchObject({ code: "closed" });
      else expect(await written).toBe("stored");
      expect(same(await open().get("a"), bytesOf(size))).toBe(!closes);
      expect(await memory.has("a")).toBe(!closes);
    }
  });
}

test("a key that never arrives holds up no call whose signal is aborted", async () => {
  const memory = new Streaming(memoryStorage());
  await encrypted({ keys: [second] })(memory).put("a", bytesOf(10));
  await encrypted({ keys: [second] })(memory).put("near 1 MiB", bytesOf(mebibyte)); // whose size only the header tells
  for (const [name, call] of Object.entries<(storage: EncryptedStorage, signal: AbortSignal) => Promise<unknown>>({
    get: (storage, signal) => storage.get("a", { signal }),
    getEntry: (storage, signal) => storage.getEntry("a", { signal }),
    getEntries: (storage, signal) => storage.getEntries(["a"], { signal }),
    read: (storage, signal) => storage.read("a", { signal }),
    "read of a part": (storage, signal) => storage.read("a", { start: 5, signal }),
    head: (storage, signal) => storage.head("near 1 MiB", { signal }),
    list: (storage, signal) => storage.list({ info: true, signal }),
    put: (storage, signal) => storage.put("b", bytesOf(10), { signal }),
    write: (storage, signal) => storage.write("b", piecesOf(bytesOf(10)), { signal }),
    batch: (storage, signal) => storage.batch([{ type: "put", key: "b", value: bytesOf(10) }], { signal }),
    rewrap: (storage, signal) => storage.rewrap("a", { signal }),
  })) {
    const asked = Promise.withResolvers<void>();
    const secret = (): Promise<Bytes> => {
      asked.resolve();
      return new Promise(() => {});
    };
    const stop = new AbortController();
    const outcome = call(encrypted({ keys: [{ id: second.id, secret }] })(memory) as EncryptedStorage, stop.signal).catch(failed);
    await asked.promise;
    const reason = new Error(`stop ${name}`);
    stop.abort(reason);
    expect(await outcome).toBe(reason);
  }
});

test("what cannot be a key ring is refused when the layer is made, and no secret is named", () => {
  const salt = new Uint8Array(16).fill(1);
  const pass = { id: "p", passphrase: "a secret text", salt };
  const bad: unknown[] = [
    {},
    { keys: [] },
    { keys: "a secret text" },
    { keys: [undefined] },
    { keys: [{ secret: first.secret }] },
    { keys: [{ id: "", secret: first.secret }] },
    { keys: [{ id: "x".repeat(33), secret: first.secret }] },
    { keys: [{ id: "two words", secret: first.secret }] },
    { keys: [{ id: "ü", secret: first.secret }] },
    { keys: [{ id: "a" }] },
    { keys: [{ id: "a", secret: "a secret text" }] },
    { keys: [{ id: "a", secret: new Uint8Array(16) }] },
    { keys: [{ id: "a", secret: new Uint8Array(32) }] },
    { keys: [{ id: "a", secret: { fromEnv: "" } }] },
    { keys: [{ id: "a", secret: {} }] },
    { keys: [{ id: "a", secret: first.secret, passphrase: "a secret text" }] },
    { keys: [{ id: "a", secret: first.secret, salt }] },
    { keys: [{ id: "a", secret: first.secret, pasphrase: "a secret text" }] },
    { keys: [first, first] },
    { keys: [first], current: "other" },
    { keys: [first], suite: "rot13" },
    { keys: [first], context: 5 },
    { keys: [first], context: "\ud800" },
    { keys: [first], legacy: "raw" },
    { keys: [first], legacy: { until: "one day" } },
    { keys: [first], kontext: "x" },
    { keys: [{ ...pass, passphrase: "" }] },
    { keys: [{ ...pass, salt: undefined }] },
    { keys: [{ ...pass, salt: new Uint8Array(15) }] },
    { keys: [{ ...pass, salt: "not base64!" }] },
    { keys: [{ ...pass, salt: "AAAA" }] },
  ];
  for (const options of bad) {
    let error: unknown;
    try {
      encrypted(options as EncryptedOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, JSON.stringify(options)).toMatchObject({ code: "invalid-option", storage: "encrypted" });
    expect(String(error)).not.toContain("a secret text");
  }
});

test("hostile parameters of a passphrase are refused at once, before a key is computed", () => {
  const hostile = [
    0,
    -1,
    1,
    1.5,
    64 * 2 ** 20 - 1,
    2 ** 30 + 1,
    2 ** 31,
    2 ** 32,
    2 ** 40,
    2 ** 53,
    Number.NaN,
    Infinity,
    -Infinity,
    "64",
    null,
    {},
  ];
  vi.mocked(argon2id).mockClear();
  let refused = 0;
  for (const value of hostile) {
    for (const name of ["memory", "passes"]) {
      for (const salt of [new Uint8Array(16).fill(1), "00".repeat(16)]) {
        const key = { id: "p", passphrase: "text", salt, [name]: value } as unknown as KeyOptions;
        expect(() => encrypted({ keys: [key] })).toThrow(StorageError);
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThanOrEqual(40);
  expect(argon2id).not.toHaveBeenCalled();
});

test("a key from a passphrase is computed once, off the thread that calls", async () => {
  const memory = memoryStorage();
  const salt = Buffer.from(bytesOf(16)).toString("base64");
  const storage = encrypted({ keys: [{ id: "p", passphrase: "correct horse", salt }] })(memory);
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  turn();
  await Promise.all(Array.from({ length: 20 }, (_, index) => storage.put(`${index}`, bytesOf(10))));
  running = false;
  expect(turns).toBeGreaterThan(100); // the loop went on meanwhile
  for (const [passphrase, code] of [
    ["correct horse", undefined],
    ["Correct horse", "wrong-key"],
  ] as const) {
    const reader = encrypted({ keys: [{ id: "p", passphrase, salt: bytesOf(16) }] })(memory);
    const result = await reader.get("0").catch(failed);
    if (code === undefined) expect(same(result as Bytes, bytesOf(10))).toBe(true);
    else expect(result).toMatchObject({ code });
  }
});

test("a storage file describes the same options", async () => {
  const [plugin] = plugins;
  expect(plugin).toMatchObject({ kind: "layer", name: "encrypted", traits: ["encrypts"] });
  const make = plugin?.make as unknown as (options: object, context: object) => ByteLayer;
  const memory = memoryStorage();
  await make(
    { keys: [first], context: "x", legacy: { until: "2027-06-30" } },
    { storage: "users", clock: undefined },
  )(memory).put("a", bytesOf(5));
  expect(same(await encrypted({ keys: [first], context: "x" })(memory).get("a"), bytesOf(5))).toBe(true);
});
