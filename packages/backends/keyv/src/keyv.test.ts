import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import KeyvRedis from "@keyv/redis";
import { KeyvSqlite } from "@keyv/sqlite";
import { json, prefixed, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { Cacheable } from "cacheable";
import * as fc from "fast-check";
import got from "got";
import { Keyv } from "keyv";
import { describe, expect, onTestFinished, test } from "vitest";
import type { KeyvAdapter } from "./index.ts";
import { keyvStorage, toKeyv } from "./index.ts";
import { decodeText, encodeText, prefixOf } from "./keys.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** An adapter as most are: a failure is an event, and the answer says that nothing is there. */
class HidingAdapter extends EventEmitter implements KeyvAdapter {
  readonly map = new Map<string, string>();
  broken = false;

  async get(key: string): Promise<unknown> {
    return this.#fails() ? undefined : this.map.get(key);
  }

  async set(key: string, value: string): Promise<boolean> {
    if (this.#fails()) return false;
    this.map.set(key, value);
    return true;
  }

  async delete(key: string): Promise<boolean> {
    return this.#fails() ? false : this.map.delete(key);
  }

  async *iterator(): AsyncGenerator<[string, string]> {
    for (const entry of this.map) {
      if (this.#fails()) return;
      yield entry;
    }
  }

  #fails(): boolean {
    if (this.broken) this.emit("error", new Error("connection lost"));
    return this.broken;
  }
}

describe("keyvStorage", () => {
  test("does not take an adapter's word for a miss when it told of an error meanwhile", async () => {
    const store = new HidingAdapter();
    const storage = keyvStorage({ store });
    await storage.put("a", bytes("1"));
    store.broken = true;
    const failure = { code: "unavailable", retryable: true, cause: { message: "connection lost" } };
    for (const operation of ["get", "getEntry", "head", "has"] as const) {
      await expect(storage[operation]("a"), operation).rejects.toMatchObject({
        ...failure,
        operation: operation === "has" ? "head" : operation,
      });
    }
    await expect(storage.getEntries(["a", "b"])).rejects.toMatchObject(failure);
    await expect(storage.list()).rejects.toMatchObject(failure);
    await expect(storage.put("a", bytes("2"))).rejects.toMatchObject({ ...failure, outcome: "unknown" });
    await expect(storage.delete("a")).rejects.toMatchObject({ ...failure, outcome: "unknown" });
    store.broken = false;
    expect(await storage.get("b")).toBeUndefined();
    await storage.delete("b");
    expect(storage.details().stats["adapterErrors"]).toBe(9); // getEntries asks for two
  });

  test("a write is acknowledged only where the adapter says that it was made, if it told of an error meanwhile", async () => {
    class SilentAdapter extends EventEmitter implements KeyvAdapter {
      answer: unknown;

      get(): unknown {
        return undefined;
      }

      set(): unknown {
        this.emit("error", new Error("connection lost"));
        return this.answer;
      }

      delete(): unknown {
        return this.set();
      }
    }
    const store = new SilentAdapter();
    const storage = keyvStorage({ store });
    const failure = { code: "unavailable", outcome: "unknown", cause: { message: "connection lost" } };
    for (const answer of [undefined, null, false, 0, {}]) {
      store.answer = answer;
      await expect(storage.put("a", bytes("1")), `put answered ${JSON.stringify(answer)}`).rejects.toMatchObject(failure);
      await expect(storage.delete("a"), `delete answered ${JSON.stringify(answer)}`).rejects.toMatchObject(failure);
    }
    store.answer = true; // the error was that of another call
    await storage.put("a", bytes("1"));
    await storage.delete("a");
  });

  test("an error of an adapter that nobody uses at the moment does not end the process", async () => {
    const store = new HidingAdapter();
    keyvStorage({ store });
    store.emit("error", new Error("idle connection lost"));
    expect(store.listenerCount("error")).toBe(1);
  });

  test("namespaces of one store do not overlap, whatever they are called", async () => {
    const store = new Map<string, string>();
    const names = ["", "users", "users:archive", "5:users", "user", "ü", "%", "0:"];
    const storages = names.map((namespace) => keyvStorage({ store, namespace }));
    for (const [index, storage] of storages.entries()) await storage.put("archive:key", bytes(names[index]!));
    for (const [index, storage] of storages.entries()) {
      expect((await storage.list()).entries).toEqual([{ key: "archive:key" }]);
      expect(Buffer.from((await storage.get("archive:key"))!).toString()).toBe(names[index]);
    }
    await storages[1]!.clear();
    expect(store.size).toBe(names.length - 1);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, other, key) => {
        fc.pre(one !== other && one.isWellFormed() && other.isWellFormed() && key.isWellFormed());
        expect((prefixOf(one) + encodeText(key)).startsWith(prefixOf(other))).toBe(false);
      }),
    );
  });

  test("keys are stored in letters that adapters leave alone, and come back as they were", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (key) => {
        fc.pre(key.isWellFormed());
        expect(encodeText(key)).toMatch(/^[A-Za-z0-9._/%-]*$/);
        expect(decodeText(encodeText(key))).toBe(key);
      }),
    );
    for (const foreign of ["%", "%zz", "%41", "a:b", "%ff"]) expect(decodeText(foreign), foreign).toBeUndefined();
  });

  test("an adapter of version 5 is told the time that is left, one of version 6 the moment", async () => {
    const told: (number | undefined)[] = [];
    const adapter = (expires: boolean): KeyvAdapter => ({
      capabilities: { expires },
      get: () => undefined,
      delete: () => true,
      set: (_key, _value, time) => {
        told.push(time);
        return true;
      },
    });
    const now = Date.now();
    for (const expires of [true, false]) await keyvStorage({ store: adapter(expires) }).put("a", bytes("1"), { ttl: 60_000 });
    expect(told[0]).toBeGreaterThanOrEqual(now + 60_000);
    expect(told[1]).toBeGreaterThan(59_000);
    expect(told[1]).toBeLessThanOrEqual(60_000);
  });

  test("an adapter is told whole milliseconds, of which none is before the moment that was asked for", async () => {
    const told: (number | undefined)[] = [];
    const adapter = (expires: boolean): KeyvAdapter => ({
      capabilities: { expires },
      get: () => undefined,
      delete: () => true,
      set: (_key, _value, time) => told.push(time),
    });
    const expiresAt = Date.now() + 60_000.5;
    for (const expires of [true, false]) {
      const storage = keyvStorage({ store: adapter(expires) });
      await storage.put("a", bytes("1"), { ttl: 1_000.5 });
      await storage.put("a", bytes("1"), { expiresAt });
    }
    expect(told.map(Number.isInteger)).toEqual([true, true, true, true]);
    expect(told[1]).toBe(Math.ceil(expiresAt));
  });

  test("a key that is too long for the store is refused before it is asked", async () => {
    const store = mapOfKeys();
    const storage = keyvStorage({ store, namespace: "users", maxKeySize: 20 });
    expect(storage.capabilities.anyKey).toBe(false);
    await storage.put("a".repeat(12), bytes("1"));
    await expect(storage.put("a".repeat(13), bytes("1"))).rejects.toMatchObject({ code: "invalid-key" });
    await expect(storage.get("äöüäö")).rejects.toMatchObject({ code: "invalid-key" });
    expect(store.size).toBe(1);
  });

  test("a store that was handed in stays open, one that was made is disconnected", async () => {
    let disconnected = 0;
    const adapter = (): KeyvAdapter => ({
      get: () => undefined,
      set: () => true,
      delete: () => true,
      disconnect: () => void disconnected++,
    });
    const given = keyvStorage({ store: adapter() });
    await given.get("a");
    await given.close();
    expect(disconnected).toBe(0);
    const made = keyvStorage({ store: adapter });
    await made.get("a");
    await made.close();
    expect(disconnected).toBe(1);
  });

  test("what others have put into the store is not listed, and not decoded into something", async () => {
    const store = new Map<string, string>([
      ["theirs", "1"],
      ["5:users:theirs", "1"],
    ]);
    const storage = keyvStorage({ store, namespace: "users" });
    await expect(storage.get("theirs")).rejects.toMatchObject({ code: expect.stringMatching(/^(corrupt|unsupported)$/) as string });
    expect((await keyvStorage({ store }).list()).entries).toEqual([]);
  });

  test.each([[{}], [{ store: 7 }], [{ store: {} }], [{ store: new Map(), durabilty: "power" }], [{ store: new Map(), maxKeySize: 3 }]])(
    "refuses the options %j",
    (options) => {
      expect(() => keyvStorage(options as never)).toThrow(/^keyv: /);
    },
  );

  test("binary values of every length survive a real store", async () => {
    const storage = keyvStorage({ store: () => new KeyvSqlite("sqlite://:memory:") });
    onTestFinished(() => storage.close());
    for (const size of [0, 1, 2, 3, 255, 70_000]) {
      const value = Uint8Array.from({ length: size }, (_, index) => (index * 7) % 256);
      await storage.put(`size/${size}`, value);
      expect(await storage.get(`size/${size}`)).toEqual(value);
    }
  });

  test("a server that is not there is an error, not a miss", async () => {
    const store = new KeyvRedis("redis://127.0.0.1:1", { connectionTimeout: 200 });
    const storage = keyvStorage({ store });
    await expect(storage.get("a")).rejects.toMatchObject({ code: "unavailable" });
    await store.disconnect(true);
  });
});

describe("toKeyv", () => {
  test("keeps texts and bytes in a stack of bytes, and values in one of values", async () => {
    const texts = toKeyv(memoryStorage());
    expect(await texts.set("a", "text")).toBe(true);
    await texts.set("b", Buffer.from([0, 255]));
    expect(await texts.getMany(["a", "b", "c"])).toEqual(["text", new Uint8Array([0, 255]), undefined]);
    await expect(texts.set("c", { object: true })).rejects.toMatchObject({ code: "invalid-value" });
    const values = toKeyv(stack(memoryStorage(), json()));
    await values.set("a", { object: true });
    expect(await values.get("a")).toEqual({ object: true });
  });

  test("expires by the moment for version 6, and by the time to live for version 5", async () => {
    const clock = new VirtualClock();
    const six = toKeyv(memoryStorage({ clock }));
    const five = toKeyv(memoryStorage({ clock }), { version: 5 });
    await six.set("a", "1", clock.now() + 1_000);
    await six.setMany([{ key: "b", value: "1", expires: clock.now() + 1_000 }]);
    await five.set("a", "1", 1_000);
    await five.setMany([{ key: "b", value: "1", ttl: 1_000 }]);
    await five.set("for ever", "1", 0);
    await clock.advance(999);
    for (const store of [six, five]) expect(await store.hasMany(["a", "b"])).toEqual([true, true]);
    await clock.advance(1);
    for (const store of [six, five]) expect(await store.getMany(["a", "b"])).toEqual([undefined, undefined]);
    expect(await five.has("for ever")).toBe(true);
  });

  test("refuses the expiry of another Keyv than its version says: taken for the other, it would lose the value or keep it for ever", async () => {
    const memory = memoryStorage();
    const six = toKeyv(memory);
    const five = toKeyv(memory, { version: 5 });
    const refusal = (version: number): object => ({ code: "config", message: expect.stringContaining(`version: ${version}`) as string });
    await expect(six.set("a", "1", 60_000)).rejects.toMatchObject(refusal(5));
    await expect(six.setMany([{ key: "a", value: "1", expires: 60_000 }])).rejects.toMatchObject(refusal(5));
    await expect(five.set("a", "1", Date.now() + 60_000)).rejects.toMatchObject(refusal(6));
    await expect(five.setMany([{ key: "a", value: "1", ttl: Date.now() + 60_000 }])).rejects.toMatchObject(refusal(6));
    expect((await memory.list()).entries).toEqual([]);
  });

  test("clears and lists its own namespace alone", async () => {
    const memory = memoryStorage();
    const one = toKeyv(memory, { namespace: "one" });
    const other = toKeyv(memory, { namespace: "one:two" });
    for (const store of [one, other]) await store.set("key: with/anything ü", "1");
    for await (const entry of one.iterator()) expect(entry).toEqual(["key: with/anything ü", "1"]);
    expect((await memory.list()).entries).toHaveLength(2);
    await one.clear();
    expect(await other.has("key: with/anything ü")).toBe(true);
    expect(await one.deleteMany(["key: with/anything ü"])).toEqual([false]);
    expect(await other.delete("key: with/anything ü")).toBe(true);
  });

  test("rejects what the storage rejects, so that Keyv with throwOnErrors does too", async () => {
    const storage = mockStorage();
    storage.on("get").fails(new Error("down"));
    await expect(toKeyv(storage).get("a")).rejects.toThrow("down");
    const keyv = new Keyv({ store: toKeyv(storage), throwOnErrors: true });
    await expect(keyv.get("a")).rejects.toThrow("down");
  });

  test("is a store of Keyv 6, with its namespaces, expiry and iterator", async () => {
    const memory = memoryStorage();
    const users = new Keyv({ store: toKeyv(stack(memory, prefixed("keyv/"))), namespace: "users" });
    const images = new Keyv({ store: toKeyv(stack(memory, prefixed("keyv/"))), namespace: "images" });
    await users.set("ada", { name: "Ada" }, 60_000);
    await images.set("ada", "picture");
    expect(await users.get("ada")).toEqual({ name: "Ada" });
    expect(await users.has("ada")).toBe(true);
    expect(await users.getMany(["ada", "bob"])).toEqual([{ name: "Ada" }, undefined]);
    await users.clear();
    expect(await users.get("ada")).toBeUndefined();
    expect(await images.get("ada")).toBe("picture");
    expect((await memory.list()).entries).toHaveLength(1);
  });

  test("is a second level for cacheable", async () => {
    const memory = memoryStorage();
    const open = (): Cacheable => new Cacheable({ secondary: toKeyv(memory, { version: 5 }) as never });
    await open().set("a", { value: 1 });
    expect((await memory.list()).entries).toHaveLength(1);
    expect(await open().get("a")).toEqual({ value: 1 });
  });

  test("is a cache of responses for got", async () => {
    let requests = 0;
    const server = createServer((_request, response) => {
      requests++;
      response.setHeader("cache-control", "max-age=60");
      response.end(`answer ${requests}`);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const memory = memoryStorage();
    const ask = async (): Promise<string> => (await got(url, { cache: toKeyv(memory, { version: 5 }) as never })).body;
    expect([await ask(), await ask()]).toEqual(["answer 1", "answer 1"]);
    expect(requests).toBe(1);
    expect((await memory.list()).entries.length).toBeGreaterThan(0);
  });
});

function mapOfKeys(): Map<string, string> {
  return new Map();
}
