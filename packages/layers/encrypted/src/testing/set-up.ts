import type { Bytes, ByteStorage, Capabilities, Condition, Entry, ReadOptions } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import type { MockStorage } from "@stowage/testing";
import type { EncryptedOptions } from "../index.ts";
import { encrypted } from "../index.ts";

export const mebibyte: number = 1024 * 1024;

/** Keys of the tests, by their only byte. */
export const secretOf = (byte: number): Bytes => new Uint8Array(32).fill(byte);
export const first: { readonly id: string; readonly secret: Bytes } = { id: "2026-11", secret: secretOf(1) };
export const second: { readonly id: string; readonly secret: Bytes } = { id: "2027-01", secret: secretOf(2) };

/** Bytes that differ from one place to the next. The same for the same size. */
export function bytesOf(size: number): Bytes {
  const bytes = new Uint8Array(size);
  let state = size + 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export async function* piecesOf(value: Bytes, size = 65_000): AsyncGenerator<Bytes, void, void> {
  for (let at = 0; at < value.byteLength; at += size) yield value.slice(at, at + size);
}

export async function collect(entry: Entry<ReadableStream<Bytes>> | undefined): Promise<Bytes> {
  return new Uint8Array(await new Response(entry?.value).arrayBuffer());
}

/** Vitest compares large arrays slowly. */
export const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

export const failed = (error: unknown): unknown => error;

/** A storage that streams natively, and says what else it can do. */
export class Streaming extends ForwardingStorage<Bytes> {
  readonly name: string = "streaming";
  readonly #change: Partial<Capabilities>;

  constructor(inner: ByteStorage | MockStorage, change: Partial<Capabilities> = {}) {
    super(inner);
    this.#change = change;
  }

  override get capabilities(): Capabilities {
    return { ...super.capabilities, streams: "native", ...this.#change };
  }
}

/** Tells which streams of whole values it handed out, and which of them were read to their end or cancelled. */
export class Watched extends Streaming {
  readonly opened: string[] = [];
  readonly ended: string[] = [];
  readonly #etags: boolean;

  constructor(inner: ByteStorage, change: Partial<Capabilities> = {}, { etags = true }: { readonly etags?: boolean } = {}) {
    super(inner, change);
    this.#etags = etags;
  }

  override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const entry = await super.read(key, options);
    if (entry === undefined) return undefined;
    const { etag: _, ...withoutEtag } = entry;
    if (options?.start !== undefined) return this.#etags ? entry : withoutEtag;
    this.opened.push(key);
    const reader = entry.value.getReader();
    const value = new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          const { done, value: chunk } = await reader.read();
          if (!done) return controller.enqueue(chunk);
          this.ended.push(key);
          controller.close();
        },
        cancel: (reason) => {
          this.ended.push(key);
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    return { ...(this.#etags ? entry : withoutEtag), value };
  }
}

export const withoutConditions: { readonly conditions: readonly Condition[] } = { conditions: [] };

/** Memory that streams natively, with the layer on it. */
export function setUp(options: Partial<EncryptedOptions> = {}): { memory: ByteStorage; storage: ByteStorage } {
  const memory = new Streaming(memoryStorage());
  return { memory, storage: encrypted({ keys: [first], ...options })(memory) };
}
