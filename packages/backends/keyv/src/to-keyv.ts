import type { AnyStorage, Bytes, Storage } from "@stowage/core";
import { isByteStorage, scan, StorageError } from "@stowage/core";
import { decodeText, encodeText, prefixOf } from "./keys.ts";

export interface ToKeyvOptions {
  /** The version of Keyv: 6 tells when a value expires, 5 tells for how long it lives. @default 6 */
  readonly version?: 5 | 6 | undefined;
  /** Keeps the entries apart from all others in the storage. Keyv sets it too. @default "" */
  readonly namespace?: string | undefined;
}

/** A storage adapter of Keyv, as it is handed to `new Keyv({ store })` and to all that take such a store. */
export interface KeyvStore {
  readonly capabilities: { readonly compatible: true; readonly store: "keyvStorage"; readonly expires: boolean };
  readonly opts: Readonly<Record<string, unknown>>;
  namespace: string | undefined;
  get(key: string): Promise<unknown>;
  getMany(keys: string[]): Promise<unknown[]>;
  set(key: string, value: unknown, expires?: number): Promise<boolean>;
  setMany(entries: readonly KeyvStoreEntry[]): Promise<boolean[]>;
  delete(key: string): Promise<boolean>;
  deleteMany(keys: string[]): Promise<boolean[]>;
  has(key: string): Promise<boolean>;
  hasMany(keys: string[]): Promise<boolean[]>;
  clear(): Promise<void>;
  iterator(): AsyncGenerator<[key: string, value: unknown], void>;
  disconnect(): Promise<void>;
  on(event: string, listener: (...args: unknown[]) => void): this;
}

interface KeyvStoreEntry {
  readonly key: string;
  readonly value: unknown;
  readonly expires?: number | undefined;
  readonly ttl?: number | undefined;
}

/**
 * Any storage as a storage adapter of Keyv. Failures reject, and nothing is told by events. A storage of bytes keeps texts and
 * bytes as what they are; one of values keeps whatever it takes. The storage must have `ttl` where values are to expire.
 *
 * ```ts
 * const keyv = new Keyv({ store: toKeyv(files), throwOnErrors: true });
 * ```
 *
 * A `set` rejects with `config` where another Keyv is at work than `version` says.
 *
 * @throws StorageError `invalid-option`
 */
export function toKeyv(storage: AnyStorage, options: ToKeyvOptions = {}): KeyvStore {
  const { version = 6, namespace = "" } = options;
  if (version !== 5 && version !== 6) throw new StorageError("invalid-option", "toKeyv: version must be 5 or 6.");
  return new StorageAdapter(
    isByteStorage(storage) ? new TextsAndBytes(storage) : new Values(storage as Storage<unknown>),
    version,
    namespace,
  );
}

/** The storage below an adapter, which takes what Keyv hands over. */
interface Below {
  readonly storage: AnyStorage;
  keep(value: unknown): unknown;
  give(value: unknown): unknown;
}

class StorageAdapter implements KeyvStore {
  readonly capabilities: KeyvStore["capabilities"];
  readonly opts: Readonly<Record<string, unknown>>;
  readonly #below: Below;
  readonly #storage: Storage<unknown>;
  readonly #version: 5 | 6;
  #namespace: string | undefined;

  constructor(below: Below, version: 5 | 6, namespace: string) {
    this.#below = below;
    this.#storage = below.storage as Storage<unknown>;
    this.#version = version;
    this.#namespace = namespace;
    this.capabilities = { compatible: true, store: "keyvStorage", expires: version === 6 };
    // Keyv 5 iterates over stores alone whose dialect is in a list of its own, and throws where a store has no url.
    this.opts = { dialect: "redis", url: "stowage:" };
  }

  get namespace(): string | undefined {
    return this.#namespace;
  }

  set namespace(namespace: string | undefined) {
    this.#namespace = namespace;
  }

  async get(key: string): Promise<unknown> {
    return this.#below.give(await this.#storage.get(this.#storedKey(key)));
  }

  async getMany(keys: string[]): Promise<unknown[]> {
    const entries = await this.#storage.getEntries(keys.map((key) => this.#storedKey(key)));
    return entries.map((entry) => this.#below.give(entry?.value));
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.#storage.put(this.#storedKey(key), this.#below.keep(value), this.#lifeOf(expires));
    return true;
  }

  async setMany(entries: readonly KeyvStoreEntry[]): Promise<boolean[]> {
    await this.#storage.batch(
      entries.map(({ key, value, expires, ttl }) => ({
        type: "put",
        key: this.#storedKey(key),
        value: this.#below.keep(value),
        options: this.#lifeOf(this.#version === 6 ? expires : ttl),
      })),
    );
    return entries.map(() => true);
  }

  async delete(key: string): Promise<boolean> {
    const stored = this.#storedKey(key);
    const was = await this.#storage.has(stored);
    await this.#storage.delete(stored);
    return was;
  }

  async deleteMany(keys: string[]): Promise<boolean[]> {
    return await Promise.all(keys.map((key) => this.delete(key)));
  }

  async has(key: string): Promise<boolean> {
    return await this.#storage.has(this.#storedKey(key));
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return await Promise.all(keys.map((key) => this.has(key)));
  }

  async clear(): Promise<void> {
    await this.#storage.clear({ prefix: this.#prefix });
  }

  async *iterator(): AsyncGenerator<[key: string, value: unknown], void> {
    const prefix = this.#prefix;
    for await (const { key } of scan(this.#storage, { prefix })) {
      const original = decodeText(key.slice(prefix.length));
      const value = original === undefined ? undefined : await this.#storage.get(key);
      if (original !== undefined && value !== undefined) yield [original, this.#below.give(value)];
    }
  }

  /** The storage stays open: whoever made it closes it. */
  async disconnect(): Promise<void> {
    await this.#storage.flush();
  }

  /** There are no events: a failure rejects. */
  on(_event: string, _listener: (...args: unknown[]) => void): this {
    return this;
  }

  get #prefix(): string {
    return prefixOf(this.#namespace ?? "");
  }

  #storedKey(key: string): string {
    return this.#prefix + encodeText(key);
  }

  #lifeOf(time: number | undefined): { expiresAt: number } | { ttl: number } | undefined {
    if (time === undefined || time === null) return undefined;
    if (this.#version === 6 ? time > 0 && time < earliestMoment : time >= earliestMoment) throw otherKeyv(this.#version);
    if (this.#version === 6) return { expiresAt: Math.max(time, 1) };
    return time > 0 ? { ttl: time } : undefined;
  }
}

/** Milliseconds since the epoch in September 2001, and as a time to live over thirty years: what is less is no moment of Keyv 6, and what is more no life of Keyv 5. */
const earliestMoment = 1e12;

function otherKeyv(version: 5 | 6): StorageError {
  const [given, other] = version === 6 ? ["a time to live, as Keyv 5 gives it", 5] : ["a moment, as Keyv 6 gives it", 6];
  return new StorageError("config", `toKeyv: the value came with ${given}; make the adapter by toKeyv(storage, { version: ${other} }).`);
}

/** How a text and bytes are told apart in a storage of bytes: by the first one. */
const textTag = 0x74; // "t"
const bytesTag = 0x62; // "b"

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

class TextsAndBytes implements Below {
  readonly storage: AnyStorage;

  constructor(storage: AnyStorage) {
    this.storage = storage;
  }

  keep(value: unknown): Bytes {
    if (typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw new StorageError(
        "invalid-value",
        "A storage of bytes keeps texts and bytes of Keyv: let Keyv serialize, or put a codec below.",
      );
    }
    const content = typeof value === "string" ? encoder.encode(value) : value;
    const kept = new Uint8Array(content.byteLength + 1);
    kept[0] = typeof value === "string" ? textTag : bytesTag;
    kept.set(content, 1);
    return kept;
  }

  give(value: unknown): unknown {
    if (value === undefined) return undefined;
    const kept = value as Bytes;
    if (kept[0] === bytesTag) return kept.slice(1);
    if (kept[0] === textTag) return decoder.decode(kept.subarray(1));
    throw new StorageError("corrupt", "The value was not stored through toKeyv().");
  }
}

class Values implements Below {
  readonly storage: Storage<unknown>;

  constructor(storage: Storage<unknown>) {
    this.storage = storage;
  }

  keep(value: unknown): unknown {
    return value;
  }

  give(value: unknown): unknown {
    return value;
  }
}
