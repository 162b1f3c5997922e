import type { Bytes, ByteStorage, Capabilities, DeleteOptions, Entry, EntryInfo, PutOptions, ReadOptions } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";

/** Bytes that do not repeat soon. The same for the same size and seed. */
export function bytesOf(size: number, seed = 1): Bytes {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export async function* chunksOf(value: Bytes, size = 10_000): AsyncGenerator<Bytes, void, void> {
  for (let at = 0; at < value.byteLength; at += size) yield value.slice(at, at + size);
}

export async function collect(entry: Entry<ReadableStream<Bytes>> | undefined): Promise<Bytes> {
  return new Uint8Array(await new Response(entry?.value).arrayBuffer());
}

/** Vitest compares large arrays slowly. */
export const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

export const text = (content: string): Bytes => new TextEncoder().encode(content);

/** The code of what a promise rejects with. */
export const codeOf = async (running: Promise<unknown>): Promise<unknown> =>
  await running.then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );

/** A storage with other abilities, with a log of its calls, into which a test steps between two of them. */
export class Below extends ForwardingStorage<Bytes> {
  readonly name = "below";
  readonly log: string[] = [];
  /** Done once, before the next call of that operation gets to the storage. */
  readonly before: Map<string, () => Promise<unknown>> = new Map();
  readonly #changes: Partial<Capabilities>;

  constructor(inner: ByteStorage, changes: Partial<Capabilities> = {}) {
    super(inner);
    this.#changes = changes;
  }

  override get capabilities(): Capabilities {
    return { ...super.capabilities, ttl: false, metadata: false, ...this.#changes };
  }

  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    await this.#step("put", `put ${key}${condition(options)}`);
    return await super.put(key, value, options);
  }

  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    await this.#step("delete", `delete ${key}${condition(options)}`);
    return await super.delete(key, options);
  }

  override async read(key: string, options: ReadOptions = {}): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    await this.#step("read", `read ${key} ${options.start ?? ""}..${options.end ?? ""}`);
    return await super.read(key, options);
  }

  override async head(key: string): Promise<EntryInfo | undefined> {
    this.log.push(`head ${key}`);
    return await super.head(key);
  }

  async #step(operation: string, line: string): Promise<void> {
    this.log.push(line);
    const work = this.before.get(operation);
    this.before.delete(operation);
    await work?.();
  }
}

const condition = (options: PutOptions | undefined): string =>
  options?.ifMatch === undefined ? (options?.ifNoneMatch === undefined ? "" : " if new") : " if match";
