import type { ByteSource, Bytes } from "@stowage/core";
import { cancelSource, readSource } from "@stowage/core";

/** The chunks of a source, each reported, cancelled when the signal is aborted even if nobody reads them. */
export function watchSource(source: ByteSource, signal: AbortSignal | undefined, progress: () => void): ByteSource {
  if (typeof source === "function") return () => new WatchedChunks(source(), signal, progress);
  if (source instanceof Blob) return () => new WatchedChunks(source.stream() as ReadableStream<Bytes>, signal, progress);
  return new WatchedChunks(source, signal, progress);
}

class WatchedChunks implements AsyncIterableIterator<Bytes> {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #progress: () => void;
  #chunks: AsyncGenerator<Uint8Array> | undefined;

  constructor(source: ByteSource, signal: AbortSignal | undefined, progress: () => void) {
    this.#source = source;
    this.#signal = signal;
    this.#progress = progress;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes>> {
    const step = await (this.#chunks ??= readSource(this.#source, this.#signal)).next();
    this.#progress();
    if (step.done === true) this.#signal?.removeEventListener("abort", this.#abort);
    return step as IteratorResult<Bytes>;
  }

  async return(reason?: unknown): Promise<IteratorResult<Bytes>> {
    this.#signal?.removeEventListener("abort", this.#abort);
    if (this.#chunks === undefined) cancelSource(this.#source, reason);
    else await this.#chunks.return(undefined);
    return { done: true, value: undefined };
  }

  /** A source that was never read does not see the signal by itself. */
  readonly #abort = (): void => {
    if (this.#chunks === undefined) cancelSource(this.#source, this.#signal?.reason);
  };
}
