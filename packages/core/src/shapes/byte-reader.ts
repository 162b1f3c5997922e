import { concatBytes } from "../contract/bytes.ts";
import type { Bytes } from "../contract/contract.ts";

/** Takes pieces of a known size off a stream of chunks. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Bytes>;
  #chunk: Bytes = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Bytes>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `size` bytes, or fewer where the stream ends. A view where they are in one chunk. */
  async take(size: number): Promise<Bytes> {
    const parts: Bytes[] = [];
    let missing = size;
    while (missing > 0 && (await this.#fill())) {
      const part = this.#chunk.subarray(0, missing);
      this.#chunk = this.#chunk.subarray(part.byteLength);
      missing -= part.byteLength;
      if (part.byteLength === size) return part;
      parts.push(part);
    }
    return concatBytes(parts);
  }

  /** Passes over bytes. Answers whether there were as many. */
  async skip(size: number): Promise<boolean> {
    let missing = size;
    while (missing > 0 && (await this.#fill())) {
      const skipped = Math.min(missing, this.#chunk.byteLength);
      this.#chunk = this.#chunk.subarray(skipped);
      missing -= skipped;
    }
    return missing === 0;
  }

  async stop(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Makes sure that there is something in the chunk. Answers false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#chunk.byteLength === 0) {
      const step = await this.#chunks.next();
      if (step.done === true) return false;
      this.#chunk = step.value;
    }
    return true;
  }
}
