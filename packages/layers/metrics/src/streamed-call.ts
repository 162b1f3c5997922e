import type { Bytes, ByteSource, ChunkIterator } from "@stowage/core";
import { cancelSource, openSource, rejecting, stopSource } from "@stowage/core";
import type { Calls, Outcome } from "./calls.ts";
import { errorTypeOf, isAbort } from "./calls.ts";
import type { Place } from "./place.ts";
import type { CallSpan } from "./spans.ts";

/**
 * A `read` until its stream has ended, or a `write`. It lasts as long as one side waits for the storage: the time in which
 * the caller does something with a chunk, or works out the next one, is the caller's and rests.
 */
export class StreamedCall {
  readonly #place: Place;
  readonly #calls: Calls;
  readonly #signal: AbortSignal | undefined;
  readonly #span: CallSpan | undefined;
  #duration = 0;
  #since: number;
  /** How many chunks the caller is working out. */
  #resting = 0;
  #hasEnded = false;

  constructor(place: Place, calls: Calls, signal: AbortSignal | undefined, span: CallSpan | undefined) {
    this.#place = place;
    this.#calls = calls;
    this.#signal = signal;
    this.#span = span;
    this.#since = place.now();
    place.presence.enter(this.#since);
  }

  /** Sends something that is a part of this call. */
  run<T>(send: () => Promise<T>): Promise<T> {
    return this.#span === undefined ? rejecting(send) : this.#span.run(send);
  }

  end(outcome: Outcome): void {
    if (!this.#hasEnded) this.#calls.durationsOf(outcome).record(this.#stop());
    this.#span?.end(outcome);
  }

  fail(failure: unknown): void {
    if (!this.#hasEnded) this.#calls.durationsOfFailure(failure, this.#signal).record(this.#stop());
    if (isAbort(failure, this.#signal)) this.#span?.end("aborted");
    else this.#span?.end("error", errorTypeOf(failure));
  }

  /** The signal was aborted while the stream was out: nobody may ask for another chunk of it. */
  handleEvent(): void {
    this.fail(this.#signal?.reason);
  }

  /** The stream of a `read`, watched. Its time goes on only while a chunk is asked for. */
  watchStream(stream: ReadableStream<Bytes>): ReadableStream<Bytes> {
    const reader = stream.getReader();
    let isCancelled = false;
    this.#rest();
    this.#signal?.addEventListener("abort", this);
    if (this.#signal?.aborted === true) this.handleEvent();
    return new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          this.#goOn();
          try {
            const step = await this.run(() => reader.read());
            if (isCancelled) return;
            if (step.done) {
              this.end("ok");
              controller.close();
            } else {
              this.#calls.bytesOut += step.value.byteLength;
              this.#rest();
              controller.enqueue(step.value);
            }
          } catch (failure) {
            this.fail(failure);
            throw failure;
          }
        },
        cancel: (reason) => {
          isCancelled = true;
          this.end("aborted");
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The source of a `write`, watched. Its time rests while the source works out a chunk. What is no source stays as it is. */
  watchSource(source: ByteSource): ByteSource {
    if (source instanceof Blob) {
      this.#calls.bytesIn += source.size;
      return source;
    }
    if (typeof source === "function") return () => new WatchedSource(source, this.#chunks);
    const isWatchable = typeof source === "object" && source !== null && (Symbol.asyncIterator in source || "getReader" in source);
    if (!isWatchable || ("locked" in source && source.locked)) return source;
    return new WatchedSource(source, this.#chunks);
  }

  readonly #chunks: Chunks = {
    await: () => this.#rest(),
    arrived: (size) => {
      this.#goOn();
      if (!this.#hasEnded) this.#calls.bytesIn += size;
    },
  };

  #rest(): void {
    if (this.#resting++ > 0 || this.#hasEnded) return;
    const now = this.#place.now();
    this.#duration += now - this.#since;
    this.#place.presence.leave(now);
  }

  #goOn(): void {
    if (--this.#resting > 0 || this.#hasEnded) return;
    this.#since = this.#place.now();
    this.#place.presence.enter(this.#since);
  }

  #stop(): number {
    if (this.#resting === 0) this.#rest();
    this.#hasEnded = true;
    this.#signal?.removeEventListener("abort", this);
    return this.#duration;
  }
}

/** What hears of the chunks of a source. */
interface Chunks {
  /** The next one is asked for. */
  await(): void;
  /** It is there, or there is none; then its size is 0. */
  arrived(size: number): void;
}

/** Not a generator: one that was never started would not pass on that it was stopped. */
class WatchedSource implements AsyncIterableIterator<Bytes, undefined> {
  readonly #source: ByteSource;
  readonly #chunks: Chunks;
  #iterator: ChunkIterator | undefined;

  constructor(source: ByteSource, chunks: Chunks) {
    this.#source = source;
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes, undefined>> {
    let size = 0;
    this.#chunks.await();
    try {
      this.#iterator ??= openSource(this.#source);
      const step = await this.#iterator.next();
      if (step.done === true) return { done: true, value: undefined };
      size = step.value instanceof Uint8Array ? step.value.byteLength : 0;
      return { done: false, value: step.value };
    } finally {
      this.#chunks.arrived(size);
    }
  }

  async return(reason?: unknown): Promise<IteratorReturnResult<undefined>> {
    if (this.#iterator === undefined) cancelSource(this.#source, reason);
    else stopSource(this.#iterator, reason);
    return { done: true, value: undefined };
  }
}
