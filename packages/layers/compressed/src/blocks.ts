/** Blocks in work at once: enough to keep two threads of the pool busy while the next one is read or written. */
export const parallel = 3;

/** A part of a plain value, all of the same size but the last. */
export interface PlainBlock {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
  /** Gives the memory back, to be used for another block. */
  readonly release: () => void;
}

/** Cuts chunks into blocks; one at least. The bytes are views where a block lies within one chunk, else in memory that is used again. */
export async function* blocksOf(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<PlainBlock, void, void> {
  const spare: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let filled = 0;
  let index = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength;) {
      if (filled === size) {
        const bytes = join(parts, size, spare);
        const release = parts.length === 1 ? nothing : () => void spare.push(bytes);
        yield { index: index++, bytes, last: false, release };
        parts = [];
        filled = 0;
      }
      const part = chunk.subarray(at, at + size - filled);
      parts.push(part);
      filled += part.byteLength;
      at += part.byteLength;
    }
  }
  yield { index, bytes: join(parts, filled, []), last: true, release: nothing };
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

/** The parts as one, in spare memory of that size where there is some. */
function join(parts: readonly Uint8Array[], size: number, spare: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = spare.pop() ?? new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

const nothing = (): void => {};
