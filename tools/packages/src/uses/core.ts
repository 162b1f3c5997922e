import assert from "node:assert/strict";
import type { Bytes, Capabilities, Entry, EntryInfo, ListOptions, Page } from "@stowage/core";
import {
  BaseByteStorage,
  checkKey,
  explain,
  getOrThrow,
  isByteStorage,
  json,
  ownedBytes,
  prefixed,
  scan,
  stack,
  StorageError,
} from "@stowage/core";

/** A backend that somebody else wrote, with core alone. */
class TinyStorage extends BaseByteStorage {
  readonly name = "tiny";
  readonly capabilities: Capabilities = {
    ttl: false,
    metadata: false,
    conditions: [],
    list: "ordered",
    atomicBatch: false,
    anyKey: true,
    streams: "buffered",
    durability: "memory",
    shared: false,
  };
  readonly #values = new Map<string, Bytes>();

  async getEntry(key: string): Promise<Entry<Bytes> | undefined> {
    const value = this.#values.get(key);
    return value === undefined ? undefined : { key, value: value.slice(), size: value.byteLength };
  }

  async head(key: string): Promise<EntryInfo | undefined> {
    const value = this.#values.get(key);
    return value === undefined ? undefined : { key, size: value.byteLength };
  }

  async list({ prefix = "" }: ListOptions = {}): Promise<Page> {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    return { entries: keys.map((key) => ({ key })), prefixes: [] };
  }

  async put(key: string, value: Uint8Array): Promise<EntryInfo> {
    checkKey(key, "put", this.name);
    this.#values.set(key, ownedBytes(value.slice()));
    return { key, size: value.byteLength };
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }

  async close(): Promise<void> {
    this.#values.clear();
  }
}

const tiny = new TinyStorage();
const users = stack(tiny, prefixed("users/"), json<{ name: string }>());
await users.put("ada", { name: "Ada" });
assert.deepEqual(await getOrThrow(users, "ada"), { name: "Ada" });
assert.equal(await users.get("nobody"), undefined);
assert.equal(isByteStorage(users), false);
assert.match(explain(users), /tiny[\s\S]*prefixed[\s\S]*json/);

const keys: string[] = [];
for await (const { key } of scan(tiny)) keys.push(key);
assert.deepEqual(keys, ["users/ada"]);

await assert.rejects(users.put("", { name: "" }), (error) => StorageError.is(error, "invalid-key"));
await users.close();
