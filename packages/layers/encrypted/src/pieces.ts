/** Takes pieces of a known size off a stream of chunks. */
export class Pieces {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #room: Uint8Array;
  #chunk: Uint8Array = new Uint8Array(0);

  /** @param largest bytes of the largest piece */
  constructor(chunks: AsyncIterable<Uint8Array>, largest: number) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#room = new Uint8Array(largest);
  }

  /** The next `size` bytes, or fewer where the stream ends. A view, or memory that the next piece uses again. */
  async take(size: number): Promise<Uint8Array> {
    let filled = 0;
    while (filled < size) {
      while (this.#chunk.byteLength === 0) {
        const step = await this.#chunks.next();
        if (step.done === true) return this.#room.subarray(0, filled);
        this.#chunk = step.value;
      }
      const part = this.#chunk.subarray(0, size - filled);
      this.#chunk = this.#chunk.subarray(part.byteLength);
      if (part.byteLength === size) return part;
      this.#room.set(part, filled);
      filled += part.byteLength;
    }
    return this.#room.subarray(0, size);
  }

  async stop(): Promise<void> {
    await this.#chunks.return?.();
  }
}
