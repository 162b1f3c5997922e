import { expect, test } from "vitest";
import { BaseByteStorage, otherVersion } from "../backend/base-byte-storage.ts";
import { concatBytes, copyBytes, resolveRange, streamOf } from "../contract/bytes.ts";
import { systemClock } from "../contract/clock.ts";
import type {
  Bytes,
  Capabilities,
  Entry,
  EntryInfo,
  ListOptions,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { StoredValue } from "./stored-value.ts";
import type { StoredLayout } from "./transformed-reads.ts";
import { TransformedStorage } from "./transformed-storage.ts";

/** Entries in a map, with every call in a log. */
class Shelf extends BaseByteStorage {
  readonly name = "shelf";
  readonly log: string[] = [];
  readonly entries = new Map<string, { value: Bytes; version: number; expiresAt?: number | undefined }>();
  readonly etags: boolean;
  readonly streams: Capabilities["streams"];
  /** Runs before the n-th `read` answers. */
  beforeRead: (count: number) => void = () => {};
  /** Streams from `read` that were neither read to their end nor cancelled. */
  open = 0;
  reads = 0;
  #version = 0;

  constructor({ etags = true, streams = "native" }: { etags?: boolean; streams?: Capabilities["streams"] } = {}) {
    super();
    this.etags = etags;
    this.streams = streams;
  }

  get capabilities(): Capabilities {
    return {
      ttl: "native",
      metadata: false,
      conditions: this.etags ? ["create", "replace"] : [],
      list: "ordered",
      atomicBatch: false,
      anyKey: true,
      streams: this.streams,
      durability: "memory",
      shared: false,
    };
  }

  override async getEntry(key: string): Promise<Entry<Bytes> | undefined> {
    this.log.push("getEntry");
    const found = this.entries.get(key);
    return found && { ...this.#info(key), value: copyBytes(found.value) };
  }

  override async head(key: string): Promise<EntryInfo | undefined> {
    this.log.push("head");
    return this.entries.has(key) ? this.#info(key) : undefined;
  }

  override async list({ info }: ListOptions = {}): Promise<Page> {
    const entries = [...this.entries.keys()].map((key) => (info === true ? this.#info(key) : { key }));
    return { entries, prefixes: [] };
  }

  override async put(key: string, value: Uint8Array, options?: PutOptions): Promise<EntryInfo> {
    this.log.push(options?.expiresAt === undefined ? "put" : `put until ${options.expiresAt}`);
    if (key === "refused") throw new StorageError("denied", "No.");
    this.entries.set(key, { value: copyBytes(value), version: ++this.#version, expiresAt: options?.expiresAt });
    return this.#info(key);
  }

  override async delete(key: string): Promise<void> {
    this.entries.delete(key);
  }

  override async read(key: string, { start, end, ifMatch }: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    this.log.push(`read ${start ?? ""}..${end ?? ""}`);
    this.beforeRead(++this.reads);
    const found = this.entries.get(key);
    if (ifMatch !== undefined && String(found?.version) !== ifMatch) throw otherVersion("read", this.name, key);
    if (found === undefined) return undefined;
    const range = resolveRange(found.value.byteLength, start, end);
    const source = streamOf(found.value.slice(range.start, range.end)).getReader();
    this.open++;
    const value = new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          const { done, value: chunk } = await source.read();
          if (!done) return controller.enqueue(chunk);
          this.open--;
          controller.close();
        },
        cancel: () => {
          this.open--;
        },
      },
      { highWaterMark: 0 },
    );
    return { ...this.#info(key), value };
  }

  async close(): Promise<void> {}

  #info(key: string): EntryInfo {
    const { value, version, expiresAt } = this.entries.get(key) as { value: Bytes; version: number; expiresAt?: number | undefined };
    return {
      key,
      size: value.byteLength,
      ...(this.etags && { etag: String(version) }),
      ...(expiresAt !== undefined && { expiresAt }),
    };
  }
}

const blockSize = 4;

/** Each block of four bytes is stored as its check byte and the bytes, xored with the position of the block. */
class Blocks extends TransformedStorage {
  readonly name = "blocks";
  /** Positions of the blocks that were decoded. */
  readonly decoded: number[] = [];

  protected override get frontSize(): number {
    return 1;
  }

  protected override info(info: EntryInfo): EntryInfo {
    return { ...info, size: plainSize(info.size as number) };
  }

  protected override storedSize(size: number): number {
    return 1 + size + Math.ceil(size / blockSize);
  }

  protected encode(value: Uint8Array): Bytes {
    const chunks: Uint8Array[] = [mark];
    for (let at = 0; at < value.byteLength; at += blockSize) chunks.push(sealed(value.subarray(at, at + blockSize), at / blockSize));
    return concatBytes(chunks);
  }

  protected decode(stored: Bytes): Bytes {
    checkMark(stored);
    const chunks: Bytes[] = [];
    for (let at = 1; at < stored.byteLength; at += blockSize + 1) chunks.push(this.#opened(stored.subarray(at, at + blockSize + 1), at));
    return concatBytes(chunks);
  }

  protected async *encodeStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes, void, void> {
    yield mark.slice();
    let waiting: Uint8Array = new Uint8Array(0);
    let index = 0;
    for await (const chunk of chunks) {
      waiting = concatBytes([waiting, chunk]);
      for (; waiting.byteLength >= blockSize; waiting = waiting.subarray(blockSize)) yield sealed(waiting.subarray(0, blockSize), index++);
    }
    if (waiting.byteLength > 0) yield sealed(waiting, index);
  }

  protected async layout(value: StoredValue): Promise<StoredLayout> {
    checkMark(await value.bytes(0, 1));
    return { size: plainSize(value.info.size as number), blockSize };
  }

  protected async *decodeRange(_layout: StoredLayout, value: StoredValue, start: number, end: number): AsyncGenerator<Bytes, void, void> {
    const from = 1 + (start / blockSize) * (blockSize + 1);
    let at = from;
    let waiting: Bytes = new Uint8Array(0);
    for await (const chunk of value.stream(from, 1 + end + Math.ceil(end / blockSize))) {
      waiting = concatBytes([waiting, chunk]);
      for (; waiting.byteLength > blockSize; waiting = waiting.subarray(blockSize + 1), at += blockSize + 1) {
        yield this.#opened(waiting.subarray(0, blockSize + 1), at);
      }
    }
    if (waiting.byteLength > 0) yield this.#opened(waiting, at);
  }

  #opened(block: Bytes, at: number): Bytes {
    const index = (at - 1) / (blockSize + 1);
    this.decoded.push(index);
    return block.slice(1).map((byte) => byte ^ index);
  }
}

/** Keeps the expiry as eight bytes in front of the value, over a storage that would not. */
class Expiring extends TransformedStorage<{ size: number; expiresAt: number }> {
  readonly name = "expiring";

  protected override get hides(): boolean {
    return true;
  }

  protected override innerOptions<O extends PutOptions>(options: O | undefined): O | undefined {
    return options && { ...options, expiresAt: undefined };
  }

  protected encode(value: Uint8Array, _key: string, options: PutOptions | undefined): Bytes {
    const stored = new Uint8Array(8 + value.byteLength);
    new DataView(stored.buffer).setFloat64(0, options?.expiresAt ?? 0);
    stored.set(value, 8);
    return stored;
  }

  protected async decode(stored: Bytes): Promise<Bytes | undefined> {
    return this.#gone(expiryOf(stored)) ? undefined : stored.slice(8);
  }

  protected async *encodeStream(chunks: AsyncIterable<Uint8Array>, key: string, options: PutOptions): AsyncGenerator<Bytes, void, void> {
    yield this.encode(new Uint8Array(0), key, options);
    for await (const chunk of chunks) yield copyBytes(chunk);
  }

  protected async layout(value: StoredValue): Promise<{ size: number; expiresAt: number } | undefined> {
    const expiresAt = expiryOf(await value.bytes(0, 8));
    return this.#gone(expiresAt) ? undefined : { size: (value.info.size as number) - 8, expiresAt };
  }

  protected decodeRange(_layout: StoredLayout, value: StoredValue, start: number, end: number): AsyncIterable<Bytes> {
    return value.stream(8 + start, 8 + end);
  }

  protected override async info(info: EntryInfo, value: StoredValue, layout?: { expiresAt: number }): Promise<EntryInfo | undefined> {
    const expiresAt = layout?.expiresAt ?? expiryOf(await value.bytes(0, 8));
    if (this.#gone(expiresAt)) return undefined;
    return { ...info, size: (info.size as number) - 8, ...(expiresAt > 0 && { expiresAt }) };
  }

  #gone(expiresAt: number): boolean {
    return expiresAt > 0 && expiresAt <= this.clock.now();
  }
}

const mark: Bytes = new Uint8Array([0x42]);
const expiryOf = (front: Bytes): number => new DataView(front.buffer, front.byteOffset).getFloat64(0);
const plainSize = (stored: number): number => stored - 1 - Math.ceil((stored - 1) / (blockSize + 1));

function sealed(block: Uint8Array, index: number): Bytes {
  return concatBytes([new Uint8Array([0xcc]), Uint8Array.from(block, (byte) => byte ^ index)]);
}

function checkMark(front: Bytes): void {
  if (front[0] !== mark[0]) throw new StorageError("corrupt", "No mark.");
}

const text = (value: string): Bytes => new TextEncoder().encode(value);
const alphabet = text("abcdefghijklmnopqrstuvwxyz");

async function collect(entry: Entry<ReadableStream<Bytes>> | undefined): Promise<string> {
  return await new Response(entry?.value).text();
}

const failed = (error: unknown): string => (StorageError.is(error) ? error.code : String(error));

async function* chunksOf(value: Bytes, size: number): AsyncGenerator<Bytes, void, void> {
  for (let at = 0; at < value.byteLength; at += size) yield value.slice(at, at + size);
}

test("whole values go through encode and decode", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  expect(await blocks.put("a", alphabet)).toEqual({ key: "a", size: 26, etag: "1" });
  expect(shelf.entries.get("a")?.value.byteLength).toBe(34);
  expect(await blocks.get("a")).toEqual(alphabet);
  expect(await blocks.getEntry("a")).toEqual({ key: "a", size: 26, etag: "1", value: alphabet });
  expect(await blocks.getEntries(["a", "b"])).toEqual([{ key: "a", size: 26, etag: "1", value: alphabet }, undefined]);
  expect(await blocks.head("a")).toEqual({ key: "a", size: 26, etag: "1" });
  expect(await blocks.list({ info: true })).toEqual({ entries: [{ key: "a", size: 26, etag: "1" }], prefixes: [] });
  expect(await blocks.get("b")).toBeUndefined();
});

test("what a stream stores is what a put stores, whatever the chunks", async () => {
  for (const size of [1, 3, 4, 5, 26]) {
    const shelf = new Shelf();
    const blocks = new Blocks(shelf);
    expect(await blocks.write("streamed", chunksOf(alphabet, size), { size: 26 })).toEqual({ key: "streamed", size: 26, etag: "1" });
    await blocks.put("put", alphabet);
    expect(shelf.entries.get("streamed")?.value).toEqual(shelf.entries.get("put")?.value);
    expect(await collect(await blocks.read("streamed"))).toBe("abcdefghijklmnopqrstuvwxyz");
  }
});

test("a read of everything is one inner read", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  shelf.log.length = 0;
  const entry = await blocks.read("a");
  expect(entry).toMatchObject({ key: "a", size: 26, etag: "1" });
  expect(await collect(entry)).toBe("abcdefghijklmnopqrstuvwxyz");
  expect(shelf.log).toEqual(["read .."]);
  expect(shelf.open).toBe(0);
});

test("every range gives what slice gives, over every kind of inner storage", async () => {
  const bounds = [undefined, -30, -26, -9, -1, 0, 1, 4, 5, 8, 25, 26, 40];
  for (const options of [{}, { etags: false }, { streams: "buffered" as const }]) {
    const shelf = new Shelf(options);
    const blocks = new Blocks(shelf);
    await blocks.put("a", alphabet);
    for (const start of bounds) {
      for (const end of bounds) {
        const entry = await blocks.read("a", { start, end });
        expect(entry?.size).toBe(26);
        expect(await collect(entry)).toBe("abcdefghijklmnopqrstuvwxyz".slice(start ?? 0, end));
      }
    }
    expect(shelf.open).toBe(0);
  }
});

test("a range decodes the blocks that it touches and no others", async () => {
  const blocks = new Blocks(new Shelf());
  await blocks.put("a", alphabet);
  expect(await collect(await blocks.read("a", { start: 6, end: 13 }))).toBe("ghijklm");
  expect(blocks.decoded).toEqual([1, 2, 3]);
});

test("a second range of one version needs no header: one inner read", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  await collect(await blocks.read("a", { start: 6, end: 13 }));
  shelf.log.length = 0;
  expect(await collect(await blocks.read("a", { start: 20, end: 22 }))).toBe("uv");
  expect(shelf.log).toEqual(["read 26..31"]);
  await blocks.put("a", text("0123456789"));
  expect(await collect(await blocks.read("a", { start: 2, end: 4 }))).toBe("23");
  await blocks.delete("a");
  expect(await blocks.read("a", { start: 2, end: 4 })).toBeUndefined();
  expect(await blocks.read("a", { start: 2, end: 2 })).toBeUndefined();
});

test("an entry that changes between two inner reads is read again, in one version", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  shelf.beforeRead = (count) => {
    if (count === 2) shelf.entries.set("a", { value: blocks["encode"](text("0123456789")), version: 99 });
  };
  const entry = await blocks.read("a", { start: 1, end: 3 });
  expect(entry).toMatchObject({ size: 10, etag: "99" });
  expect(await collect(entry)).toBe("12");
  expect(shelf.open).toBe(0);
});

test("an entry that never stops changing is a conflict after three restarts", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  shelf.beforeRead = (count) => {
    const found = shelf.entries.get("a");
    if (count % 2 === 0 && found !== undefined) shelf.entries.set("a", { ...found, version: count * 100 });
  };
  const error: unknown = await blocks.read("a", { start: 1, end: 3 }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "conflict", retryable: true });
  expect(shelf.reads).toBe(8);
  expect(shelf.open).toBe(0);
});

test("a version that the caller asked for is never exchanged for another", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  expect(await collect(await blocks.read("a", { ifMatch: "1", start: 1, end: 3 }))).toBe("bc");
  await blocks.put("a", alphabet);
  expect(await blocks.read("a", { ifMatch: "1", start: 1, end: 3 }).catch(failed)).toBe("precondition-failed");
  expect(await blocks.read("a", { ifMatch: "1" }).catch(failed)).toBe("precondition-failed");
});

test("over a storage without etags a range is read in one call", async () => {
  const shelf = new Shelf({ etags: false });
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  shelf.beforeRead = (count) => {
    if (count > 1) shelf.beforeRead = () => shelf.entries.clear();
  };
  expect(await collect(await blocks.read("a", { start: 6, end: 13 }))).toBe("ghijklm");
});

test("an entry that changes under a stream that was handed out ends it with a conflict", async () => {
  class Slow extends Blocks {
    protected override async *decodeRange(layout: StoredLayout, value: StoredValue, start: number, end: number): AsyncGenerator<Bytes> {
      for (let at = start; at < end; at += blockSize) yield* super.decodeRange(layout, value, at, Math.min(at + blockSize, end));
    }
  }
  const slow = new Slow(new Shelf());
  await slow.put("a", alphabet);
  const entry = await slow.read("a", { start: 1 });
  await slow.put("a", alphabet);
  expect(await collect(entry).catch(failed)).toBe("conflict");
});

test("a stream that is cancelled or aborted half-way frees the inner stream at once", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  await blocks.put("a", alphabet);
  const cancelled = await blocks.read("a");
  await cancelled?.value.cancel();
  expect(shelf.open).toBe(0);

  const controller = new AbortController();
  const aborted = await blocks.read("a", { signal: controller.signal });
  const reader = aborted?.value.getReader();
  await reader?.read();
  controller.abort(new Error("enough"));
  await expect(reader?.read()).rejects.toThrow("enough");
  expect(shelf.open).toBe(0);
});

test("an abort ends a read at once while a hook of the layer hangs, and frees the inner stream", async () => {
  let begun = Promise.withResolvers<void>();
  const hang = (): Promise<never> => {
    begun.resolve();
    return new Promise(() => {});
  };
  class SlowLayout extends Blocks {
    protected override layout(): Promise<StoredLayout> {
      return hang();
    }
  }
  class SlowRange extends Blocks {
    protected override async *decodeRange(layout: StoredLayout, value: StoredValue, start: number, end: number): AsyncGenerator<Bytes> {
      await hang();
      yield* super.decodeRange(layout, value, start, end);
    }
  }
  class SlowInfo extends Expiring {
    protected override info(): Promise<EntryInfo> {
      return hang();
    }
  }
  for (const Slow of [SlowLayout, SlowRange, SlowInfo]) {
    for (const start of [undefined, 5]) {
      begun = Promise.withResolvers();
      const shelf = new Shelf();
      const slow = new Slow(shelf);
      await slow.put("a", alphabet);
      const controller = new AbortController();
      const read = slow.read("a", { start, signal: controller.signal }).catch(failed);
      await begun.promise;
      controller.abort(new Error("enough"));
      expect(await read).toBe("Error: enough");
      expect(shelf.open).toBe(0);
    }
  }
});

test("a damaged value rejects the read itself", async () => {
  const shelf = new Shelf();
  shelf.entries.set("a", { value: text("nonsense"), version: 1 });
  expect(await new Blocks(shelf).read("a").catch(failed)).toBe("corrupt");
  expect(await new Blocks(shelf).get("a").catch(failed)).toBe("corrupt");
  expect(shelf.open).toBe(0);
});

test("a refused write cancels its source, begun or not", async () => {
  let cancelled = 0;
  const source = (): ReadableStream<Bytes> =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(text("more")),
      cancel: () => {
        cancelled++;
      },
    });
  const blocks = new Blocks(new Shelf());
  expect(await blocks.write("refused", source(), { size: 2 }).catch(failed)).toBe("invalid-value");
  expect(await blocks.write("", source()).catch(failed)).toBe("invalid-key");
  expect(await blocks.write("a", source(), { ttl: -1 }).catch(failed)).toBe("invalid-option");
  expect(await new Blocks(new Shelf({ streams: "none" })).write("a", source()).catch(failed)).toBe("unsupported");
  const signal = AbortSignal.abort(new Error("enough"));
  expect(await blocks.write("a", source(), { signal }).catch(failed)).toBe("Error: enough");
  expect(cancelled).toBe(5);
});

test("an abort ends a write whose source hangs, and cancels the source", async () => {
  let cancelled = false;
  const source = new ReadableStream<Bytes>({
    cancel: () => {
      cancelled = true;
    },
  });
  const controller = new AbortController();
  const written = new Blocks(new Shelf()).write("a", source, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(written).rejects.toThrow("enough");
  expect(cancelled).toBe(true);
});

test("a source that can be read again stays one for the inner storage", async () => {
  class Twice extends Shelf {
    override async write(key: string, source: unknown): Promise<EntryInfo> {
      if (typeof source !== "function") throw new Error("not repeatable");
      await super.write(key, source as () => AsyncIterable<Bytes>);
      return await super.write(key, source as () => AsyncIterable<Bytes>);
    }
  }
  const blocks = new Blocks(new Twice());
  expect(await blocks.write("a", new Blob([alphabet]))).toMatchObject({ size: 26 });
  expect(await blocks.get("a")).toEqual(alphabet);
});

test("a value of a batch that cannot be encoded fails alone, or the whole of an atomic batch", async () => {
  const shelf = new Shelf();
  const blocks = new Blocks(shelf);
  const wrong = "text" as unknown as Bytes;
  const error: unknown = await blocks
    .batch([
      { type: "put", key: "a", value: alphabet },
      { type: "put", key: "b", value: wrong },
      { type: "put", key: "refused", value: alphabet },
      { type: "put", key: "c", value: alphabet },
    ])
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "partial",
    failures: [
      { index: 1, error: { code: "invalid-value" } },
      { index: 2, key: "refused" },
    ],
  });
  expect([...shelf.entries.keys()]).toEqual(["a", "c"]);
});

test("a layer can treat entries as missing, in every operation that reads", async () => {
  let now = 1_000;
  const shelf = new Shelf();
  const expiring = new Expiring(shelf, { ...systemClock, now: () => now });
  await expiring.put("a", alphabet, { ttl: 500 });
  await expiring.write("b", chunksOf(alphabet, 10), { expiresAt: 1_500 });
  await expiring.put("c", alphabet);
  expect(shelf.log).toEqual(["put", "put", "put"]);
  expect(await expiring.getEntry("a")).toMatchObject({ expiresAt: 1_500, size: 26 });
  expect(await collect(await expiring.read("b", { start: -3 }))).toBe("xyz");
  now = 1_500;
  for (const key of ["a", "b"]) {
    expect(await expiring.get(key)).toBeUndefined();
    expect(await expiring.getEntry(key)).toBeUndefined();
    expect(await expiring.head(key)).toBeUndefined();
    expect(await expiring.has(key)).toBe(false);
    expect(await expiring.read(key)).toBeUndefined();
    expect(await expiring.read(key, { start: -3 })).toBeUndefined();
  }
  expect((await expiring.list({ info: true })).entries).toMatchObject([{ key: "c", size: 26 }]);
  expect(shelf.open).toBe(0);
});

test("a layer that needs the front of a value gets it with all else in one read for head, and in one for each key of a list", async () => {
  class Fronted extends Expiring {
    protected override get headSize(): number {
      return 8;
    }
  }
  for (const streams of ["native", "buffered", "none"] as const) {
    for (const etags of [true, false]) {
      let now = 1_000;
      const shelf = new Shelf({ streams, etags });
      const fronted = new Fronted(shelf, { ...systemClock, now: () => now });
      await fronted.put("a", alphabet, { ttl: 500 });
      await fronted.put("b", alphabet);
      const look = streams === "none" ? "getEntry" : "read 0..8";
      shelf.log.length = 0;
      expect(await fronted.head("a")).toMatchObject({ key: "a", size: 26, expiresAt: 1_500 });
      expect(await fronted.has("b")).toBe(true);
      expect(await fronted.head("missing")).toBeUndefined();
      expect(shelf.log).toEqual([look, look, look]);
      now = 1_500;
      shelf.log.length = 0;
      expect((await fronted.list({ info: true })).entries).toMatchObject([{ key: "b", size: 26 }]);
      expect(shelf.log).toEqual([look, look]);
      expect(shelf.open).toBe(0);
    }
  }
});

test("the size of a stored stream may depend on the options of the write", async () => {
  class Labelled extends Expiring {
    readonly asked: unknown[] = [];

    protected override storedSize(size: number, { expiresAt }: WriteOptions): number {
      this.asked.push(size, expiresAt);
      return size + 8;
    }
  }
  const labelled = new Labelled(new Shelf());
  await labelled.write("a", chunksOf(alphabet, 10), { size: 26, expiresAt: 4_000_000_000_000 });
  expect(labelled.asked).toEqual([26, 4_000_000_000_000]);
});
