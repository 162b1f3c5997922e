import type { ChunkIterator } from "../contract/bytes.ts";
import { cancelSource, isRepeatable, openSource, stopSource } from "../contract/bytes.ts";
import type { Bytes, ByteSource } from "../contract/contract.ts";
import type { StorageError } from "../contract/storage-error.ts";

/** A source that fails as `tooLarge` says once it has given more than `limit` bytes. It can be read again where the source can. */
export function cutSource(source: ByteSource, limit: number, tooLarge: () => StorageError): ByteSource {
  return isRepeatable(source) ? () => new CutSource(source, limit, tooLarge) : new CutSource(source, limit, tooLarge);
}

/** Not a generator: one that was never started would not pass on that it was stopped. */
class CutSource implements AsyncIterableIterator<Bytes, undefined> {
  readonly #source: ByteSource;
  readonly #tooLarge: () => StorageError;
  #rest: number;
  #chunks: ChunkIterator | undefined;

  constructor(source: ByteSource, limit: number, tooLarge: () => StorageError) {
    this.#source = source;
    this.#rest = limit;
    this.#tooLarge = tooLarge;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes, undefined>> {
    this.#chunks ??= openSource(this.#source);
    const step = await this.#chunks.next();
    if (step.done === true) return { done: true, value: undefined };
    this.#rest -= step.value.byteLength;
    if (this.#rest < 0) throw this.#tooLarge();
    return { done: false, value: step.value };
  }

  async return(reason?: unknown): Promise<IteratorReturnResult<undefined>> {
    if (this.#chunks === undefined) cancelSource(this.#source, reason);
    else stopSource(this.#chunks, reason);
    return { done: true, value: undefined };
  }
}
