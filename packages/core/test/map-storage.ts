import type {
  Bytes,
  CallOptions,
  Capabilities,
  Clock,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Page,
  PutOptions,
} from "@stowage/core";
import {
  BaseByteStorage,
  BaseStorage,
  checkBytes,
  checkDeleteOptions,
  checkKey,
  checkListOptions,
  checkPutOptions,
  compareKeys,
  copyBytes,
  isExpired,
  otherVersion,
  StorageError,
  systemClock,
  withExpiry,
} from "@stowage/core";

/** What the doubles below can do unless told otherwise. */
export const allCapabilities: Capabilities = {
  ttl: "native",
  metadata: true,
  conditions: ["create", "replace", "delete", "stream"],
  list: "ordered",
  atomicBatch: false,
  anyKey: true,
  streams: "buffered",
  durability: "memory",
  shared: false,
};

export interface MapOptions {
  readonly name?: string | undefined;
  readonly capabilities?: Partial<Capabilities> | undefined;
  readonly clock?: Clock | undefined;
}

/** A storage over a Map: what core's own tests stand on, because core cannot use the packages above it. */
export class MapStorage<V> extends BaseStorage<V> {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly calls: string[] = [];
  closed = 0;
  readonly #entries: EntryMap<V>;

  constructor({ name = "map", capabilities, clock }: MapOptions = {}) {
    super();
    this.name = name;
    this.capabilities = { ...allCapabilities, ...capabilities };
    this.#entries = new EntryMap<V>(this, clock);
  }

  async getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#entries.get(key, "getEntry", options);
  }

  async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#entries.head(key, options);
  }

  async list(options?: ListOptions): Promise<Page> {
    return this.#entries.list(options);
  }

  async put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return this.#entries.put(key, value, options);
  }

  async delete(key: string, options?: DeleteOptions): Promise<void> {
    this.#entries.delete(key, options);
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

/** As `MapStorage`, of bytes. */
export class MapByteStorage extends BaseByteStorage {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly calls: string[] = [];
  closed = 0;
  readonly #entries: EntryMap<Bytes>;

  constructor({ name = "map", capabilities, clock }: MapOptions = {}) {
    super();
    this.name = name;
    this.capabilities = { ...allCapabilities, ...capabilities };
    this.#entries = new EntryMap<Bytes>(this, clock);
  }

  async getEntry(key: string, options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    const entry = this.#entries.get(key, "getEntry", options);
    return entry && { ...entry, value: copyBytes(entry.value) };
  }

  async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#entries.head(key, options);
  }

  async list(options?: ListOptions): Promise<Page> {
    return this.#entries.list(options);
  }

  async put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    checkBytes(value, "put", this.name, key);
    return this.#entries.put(key, copyBytes(value), options, value.byteLength);
  }

  async delete(key: string, options?: DeleteOptions): Promise<void> {
    this.#entries.delete(key, options);
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

interface Owner {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly calls: string[];
  readonly closed: number;
}

class EntryMap<V> {
  readonly #owner: Owner;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry<V>>();
  #version = 0;

  constructor(owner: Owner, clock: Clock = systemClock) {
    this.#owner = owner;
    this.#clock = clock;
  }

  get(key: string, operation: string, options?: CallOptions): Entry<V> | undefined {
    this.#begin(operation, key, options);
    return this.#live(key);
  }

  head(key: string, options?: CallOptions): EntryInfo | undefined {
    this.#begin("head", key, options);
    const entry = this.#live(key);
    return entry && infoOf(entry);
  }

  put(key: string, value: V, options: PutOptions = {}, size?: number): EntryInfo {
    this.#begin("put", key, options);
    checkPutOptions(options, this.#owner, "put");
    const { ifMatch, ifNoneMatch, metadata } = options;
    const current = this.#live(key);
    if (ifMatch !== undefined && current?.etag !== ifMatch) throw otherVersion("put", this.#owner.name, key);
    if (ifNoneMatch !== undefined && current !== undefined) throw otherVersion("put", this.#owner.name, key);
    const expiresAt = withExpiry(options, this.#clock).expiresAt;
    const info: EntryInfo = {
      key,
      etag: String(++this.#version),
      ...(size !== undefined && { size }),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(metadata !== undefined && { metadata: { ...metadata } }),
    };
    if (isExpired(expiresAt, this.#clock)) this.#entries.delete(key);
    else this.#entries.set(key, { ...info, value });
    return info;
  }

  delete(key: string, options?: DeleteOptions): void {
    this.#begin("delete", key, options);
    checkDeleteOptions(options, this.#owner);
    if (options?.ifMatch !== undefined && this.#live(key)?.etag !== options.ifMatch) throw otherVersion("delete", this.#owner.name, key);
    this.#entries.delete(key);
  }

  list(options: ListOptions = {}): Page {
    const { prefix = "", delimiter, startAfter, cursor, limit = 1000, info = false, signal } = options;
    this.#owner.calls.push("list");
    signal?.throwIfAborted();
    checkListOptions(options, this.#owner);
    const after = cursor ?? startAfter ?? "";
    const entries: EntryInfo[] = [];
    const prefixes: string[] = [];
    let last = "";
    for (const key of [...this.#entries.keys()].toSorted(compareKeys)) {
      const entry = this.#live(key);
      if (entry === undefined || !key.startsWith(prefix) || compareKeys(key, after) <= 0) continue;
      const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const rolled = end < 0 || delimiter === undefined ? undefined : key.slice(0, end + delimiter.length);
      if (rolled !== undefined && (rolled === prefixes.at(-1) || (cursor ?? "").startsWith(rolled))) continue;
      if (entries.length + prefixes.length === limit) return { entries, prefixes, cursor: last };
      if (rolled === undefined) entries.push(info ? infoOf(entry) : { key });
      else prefixes.push(rolled);
      last = key;
    }
    return { entries, prefixes };
  }

  #begin(operation: string, key: string, options: CallOptions | undefined): void {
    this.#owner.calls.push(`${operation} ${key}`);
    options?.signal?.throwIfAborted();
    if (this.#owner.closed > 0) throw new StorageError("closed", "The map is closed.", { operation, storage: this.#owner.name });
    checkKey(key, operation, this.#owner.name);
  }

  #live(key: string): Entry<V> | undefined {
    const entry = this.#entries.get(key);
    return isExpired(entry?.expiresAt, this.#clock) ? undefined : entry;
  }
}

function infoOf<V>({ value: _value, ...info }: Entry<V>): EntryInfo {
  return info;
}

/** The bytes of a text. */
export const bytesOf = (text: string): Bytes => new TextEncoder().encode(text);

/** The text of bytes. */
export const textOf = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);

/** All of a stream as text. */
export async function readText(stream: ReadableStream<Bytes> | undefined): Promise<string | undefined> {
  return stream && (await new Response(stream).text());
}

/** A stream of texts that remembers how it was cancelled, and how often it was asked. */
export class TrackedSource {
  cancelled: unknown;
  isCancelled = false;
  pulled = 0;
  readonly stream: ReadableStream<Bytes>;

  constructor(texts: readonly string[]) {
    const rest = [...texts];
    this.stream = new ReadableStream<Bytes>(
      {
        pull: (controller) => {
          this.pulled++;
          const text = rest.shift();
          if (text === undefined) controller.close();
          else controller.enqueue(bytesOf(text));
        },
        cancel: (reason) => {
          this.isCancelled = true;
          this.cancelled = reason;
        },
      },
      { highWaterMark: 0 },
    );
  }
}

/** A clock that a test moves by hand; sleeps end when it is moved past them. */
export class HandClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ readonly due: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(duration: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const sleeper = { due: this.#now + duration, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => this.#sleepers.delete(sleeper) && reject(signal.reason), { once: true });
    });
  }

  async advance(duration: number): Promise<void> {
    const end = this.#now + duration;
    await settled();
    for (;;) {
      const [first] = [...this.#sleepers].filter(({ due }) => due <= end).toSorted((a, b) => a.due - b.due);
      if (first === undefined) break;
      this.#sleepers.delete(first);
      this.#now = Math.max(this.#now, first.due);
      first.wake();
      await settled();
    }
    this.#now = end;
  }
}

/** A turn of the event loop: all that can run without a clock has run then. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
