import type { Bytes } from "@stowage/core";

/** A source for `write` that remembers what became of it. */
export interface TrackedSource {
  readonly opened: boolean;
  /** Whether the reader told it that it wants no more. */
  readonly cancelled: boolean;
  /** Chunks that were taken. */
  readonly taken: number;
  /** As an iterable. */
  iterable(): AsyncIterable<Bytes>;
  /** As a stream. */
  stream(): ReadableStream<Bytes>;
}

export interface TrackedSourceOptions {
  /** Never ends after its chunks. */
  readonly hangs?: boolean;
  /** Fails with this after its chunks. */
  readonly fails?: unknown;
}

/** A source that gives these chunks, then ends, hangs or fails. */
export function trackedSource(chunks: readonly Uint8Array[], options: TrackedSourceOptions = {}): TrackedSource {
  const state = { opened: false, cancelled: false, taken: 0 };
  const next = async (): Promise<Bytes | undefined> => {
    const chunk = chunks[state.taken];
    if (chunk !== undefined) {
      state.taken++;
      return chunk as Bytes;
    }
    if ("fails" in options) throw options.fails;
    return options.hangs === true ? await new Promise<never>(() => {}) : undefined;
  };
  return {
    get opened() {
      return state.opened;
    },
    get cancelled() {
      return state.cancelled;
    },
    get taken() {
      return state.taken;
    },
    iterable: () => ({
      [Symbol.asyncIterator]() {
        state.opened = true;
        return {
          async next() {
            const value = await next();
            return value === undefined ? { done: true, value } : { done: false, value };
          },
          async return() {
            state.cancelled = true;
            return { done: true, value: undefined };
          },
        };
      },
    }),
    stream: () =>
      new ReadableStream<Bytes>(
        {
          async pull(controller) {
            state.opened = true;
            const value = await next();
            if (value === undefined) controller.close();
            else controller.enqueue(value);
          },
          cancel() {
            state.cancelled = true;
          },
        },
        { highWaterMark: 0 },
      ),
  };
}
