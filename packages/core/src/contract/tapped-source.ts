import type { ChunkIterator } from "./sources.ts";
import { cancelSource, isRepeatable, openSource, stopSource } from "./sources.ts";
import type { Bytes, ByteSource } from "./contract.ts";

/** Sees each chunk on its way. What it throws ends the source. What is not bytes passes unseen, for `readSource` to refuse. */
export type Tap = (chunk: Bytes) => void;

/** A source whose chunks are seen by a tap, a new one each time it is opened. It can be read again where the source can. */
export function tappedSource(source: ByteSource, tap: () => Tap): ByteSource {
  return isRepeatable(source) ? () => new TappedSource(source, tap()) : new TappedSource(source, tap());
}

/** Not a generator: one that was never started would not pass on that it was stopped. */
class TappedSource implements AsyncIterableIterator<Bytes, undefined> {
  readonly #source: ByteSource;
  readonly #tap: Tap;
  #chunks: ChunkIterator | undefined;

  constructor(source: ByteSource, tap: Tap) {
    this.#source = source;
    this.#tap = tap;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes, undefined>> {
    this.#chunks ??= openSource(this.#source);
    const step = await this.#chunks.next();
    if (step.done === true) return { done: true, value: undefined };
    if (step.value instanceof Uint8Array) this.#tap(step.value);
    return { done: false, value: step.value };
  }

  async return(reason?: unknown): Promise<IteratorReturnResult<undefined>> {
    if (this.#chunks === undefined) cancelSource(this.#source, reason);
    else stopSource(this.#chunks, reason);
    return { done: true, value: undefined };
  }
}
