/** A part of a plain value, all of the same size but the last. */
export interface PlainChunk {
  /** A view of what the source gave, or memory that the next chunk uses again. */
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** Cuts a stream into chunks of a size; one at least. */
export async function* plainChunks(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<PlainChunk, void, void> {
  const room = new Uint8Array(size);
  let waiting: Uint8Array = room.subarray(0, 0); // a full chunk, or what is left of the source: the last chunk is known by its end
  let filled = 0;
  for await (const given of source) {
    for (let at = 0; at < given.byteLength;) {
      if (waiting.byteLength === size) {
        yield { bytes: waiting, last: false };
        waiting = room.subarray(0, 0);
        filled = 0;
      }
      const part = given.subarray(at, at + size - filled);
      at += part.byteLength;
      if (part.byteLength === size && at < given.byteLength) {
        yield { bytes: part, last: false };
        continue;
      }
      room.set(part, filled);
      filled += part.byteLength;
      waiting = room.subarray(0, filled);
    }
  }
  yield { bytes: waiting, last: true };
}
