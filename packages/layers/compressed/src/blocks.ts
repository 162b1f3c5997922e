import { concatBytes } from "@stowage/core";

/** Blocks in work at once: enough to keep two threads of the pool busy while the next one is read or written. */
export const parallel = 3;

/** A part of a plain value, all of the same size but the last. */
export interface PlainBlock {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** Cuts chunks into blocks; one at least. The bytes are views where a block lies within one chunk. */
export async function* blocksOf(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<PlainBlock, void, void> {
  let parts: Uint8Array[] = [];
  let filled = 0;
  let index = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength;) {
      if (filled === size) {
        yield { index: index++, bytes: join(parts), last: false };
        parts = [];
        filled = 0;
      }
      const part = chunk.subarray(at, at + size - filled);
      parts.push(part);
      filled += part.byteLength;
      at += part.byteLength;
    }
  }
  yield { index, bytes: join(parts), last: true };
}

/** Works on a few items at once, and gives the results in the order of the items. */
export async function* inOrder<I, O>(items: AsyncIterable<I>, work: (item: I) => Promise<O>): AsyncGenerator<O, void, void> {
  const running: Promise<O>[] = [];
  for await (const item of items) {
    const task = work(item);
    task.catch(() => {}); // reported when its turn comes, unless an earlier one fails
    running.push(task);
    if (running.length >= parallel) yield await (running.shift() as Promise<O>);
  }
  for (const task of running) yield await task;
}

const join = (parts: readonly Uint8Array[]): Uint8Array => (parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts));
