import type { Bytes, ByteSource, EntryInfo, ReadOptions } from "@stowage/core";
import { copyBytes, forEachConcurrently, ownedBytes, readSource, resolveRange, StorageError, whenAborted, wrongSize } from "@stowage/core";
import type { Argument, Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { storageName } from "./errors.ts";
import { addChunk, getChunk, run } from "./scripts.ts";
import type { Body } from "./stored.ts";
import { asBuffer, chunkSize } from "./stored.ts";

/** Chunks of one value that are under way at once. */
const chunksAtOnce = 4;

/** Values in chunks: how they are written before anybody sees them, and read. */
export class Bodies {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Writes a value that is in memory under a name that nobody knows yet. */
  async add(name: string, value: Uint8Array, call: CallOf, signal?: AbortSignal): Promise<Body> {
    await forEachConcurrently(Array(Math.ceil(value.byteLength / chunkSize)).keys(), chunksAtOnce, async (position) => {
      signal?.throwIfAborted();
      await this.#add(name, position, value.subarray(position * chunkSize, (position + 1) * chunkSize), call);
    });
    signal?.throwIfAborted(); // from then on, the caller may change the value
    return { name, size: value.byteLength, chunkSize };
  }

  /**
   * Writes chunks as they come, each but the last of `chunkSize`, under a name that nobody knows yet.
   *
   * @param stop ends the chunks once one could not be written: a source that hangs must not hold up the failure
   */
  async addAll(name: string, chunks: AsyncIterable<Uint8Array>, call: CallOf, stop: AbortController): Promise<Body> {
    let size = 0;
    const measured = async function* (): AsyncGenerator<Uint8Array, void, void> {
      for await (const chunk of chunks) {
        size += chunk.byteLength;
        yield chunk;
      }
    };
    await forEachConcurrently(measured(), chunksAtOnce, async (chunk, position) => {
      try {
        await this.#add(name, position, chunk, call);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
    return { name, size, chunkSize };
  }

  /** Forgets a body that was not published. That it fails harms nobody: it goes by itself. */
  discard(name: string, call: CallOf): void {
    this.#connection.send(name, ["UNLINK", name], call, () => {}).catch(() => {});
  }

  /** The whole value; `undefined` where chunks of it are gone. */
  async whole(body: Body, call: CallOf): Promise<Bytes | undefined> {
    const value = new Uint8Array(body.size);
    let isWhole = true;
    await forEachConcurrently(Array(Math.ceil(body.size / body.chunkSize)).keys(), chunksAtOnce, async (position) => {
      const chunk = isWhole ? await this.#chunk(body, position, call) : undefined;
      if (chunk === undefined) isWhole = false;
      else value.set(chunk, position * body.chunkSize);
    });
    return isWhole ? value : undefined;
  }

  /** A part of a value as a stream, which asks for one chunk more than was read. */
  stream(body: Body, { start, end, signal }: ReadOptions, call: CallOf): ReadableStream<Bytes> {
    const range = resolveRange(body.size, start, end);
    const aborted = signal === undefined ? undefined : whenAborted(signal);
    let position = range.start;
    const fetch = (): Promise<Buffer | undefined> | undefined => {
      const chunk = position < range.end ? this.#chunk(body, Math.floor(position / body.chunkSize), call) : undefined;
      chunk?.catch(() => {}); // told when it is read, if it is
      return chunk;
    };
    let next: Promise<Buffer | undefined> | undefined;
    const over = (): void => aborted?.dispose();
    if (range.start >= range.end) over();
    return new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          try {
            signal?.throwIfAborted();
            const awaited = next ?? fetch();
            if (awaited === undefined) return controller.close();
            const chunk = await (aborted === undefined ? awaited : Promise.race([awaited, aborted.promise]));
            if (chunk === undefined) throw gone(call);
            const from = position % body.chunkSize;
            const part = chunk.subarray(from, Math.min(chunk.length, from + range.end - position));
            position += part.length;
            next = fetch();
            controller.enqueue(copyBytes(part));
            if (position >= range.end) {
              over();
              controller.close();
            }
          } catch (error) {
            over();
            throw error;
          }
        },
        cancel: over,
      },
      { highWaterMark: 0 },
    );
  }

  #add(name: string, position: number, chunk: Uint8Array, call: CallOf): Promise<void> {
    const args: Argument[] = [String(position), asBuffer(chunk)];
    return run(this.#connection, addChunk, [name], args, { ...call, writes: false }, () => {});
  }

  async #chunk(body: Body, position: number, call: CallOf): Promise<Buffer | undefined> {
    const chunk = await run(this.#connection, getChunk, [body.name], [String(position)], call, (reply: Reply) => reply as Buffer | null);
    const expected = Math.min(body.chunkSize, body.size - position * body.chunkSize);
    return chunk === null || chunk.length !== expected ? undefined : chunk;
  }
}

/** The chunks of a source, each but the last of the same size; one that is empty where the source is. */
export async function* cut(
  source: ByteSource,
  { size, signal, key }: { readonly size?: number | undefined; readonly signal?: AbortSignal | undefined; readonly key: string },
): AsyncGenerator<Uint8Array, void, void> {
  let total = 0;
  let filled = 0;
  let block = new Uint8Array(chunkSize);
  for await (const piece of readSource(source, signal)) {
    total += piece.byteLength;
    if (size !== undefined && total > size) throw wrongSize(size, "more", storageName, key);
    for (let at = 0; at < piece.byteLength;) {
      if (filled === chunkSize) {
        yield block;
        block = new Uint8Array(chunkSize);
        filled = 0;
      }
      const part = piece.subarray(at, at + chunkSize - filled);
      block.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
    }
  }
  if (size !== undefined && total < size) throw wrongSize(size, String(total), storageName, key);
  yield ownedBytes(block.subarray(0, filled));
}

/** Chunks are missing: of a version that was replaced while a stream of it paused, or evicted by the server. */
export function gone({ operation, key }: CallOf, info?: EntryInfo): StorageError {
  return info === undefined
    ? new StorageError("conflict", "The value was replaced while it was read, and what was left of the old one is gone.", {
        operation,
        key,
        storage: storageName,
      })
    : new StorageError("corrupt", "Chunks of the value are missing; does the server evict what has no expiry?", {
        operation,
        key,
        storage: storageName,
      });
}
