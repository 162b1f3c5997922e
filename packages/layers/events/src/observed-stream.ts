import type { Bytes } from "@stowage/core";

/** Hears of the end of a stream; the first time that it is told counts. */
export interface StreamEnd {
  /** It was read to its end, or cancelled, after this many bytes. */
  ended(bytes: number): void;
  failed(error: unknown): void;
}

/** A stream that hands on the chunks of another one as they are asked for. An abort ends it although nobody asks for more. */
export function observedStream(stream: ReadableStream<Bytes>, signal: AbortSignal | undefined, end: StreamEnd): ReadableStream<Bytes> {
  const reader = stream.getReader();
  let bytes = 0;
  const fail = (error: unknown): void => {
    signal?.removeEventListener("abort", abort);
    end.failed(error);
  };
  const abort = (): void => fail(signal?.reason);
  const finish = (): void => {
    signal?.removeEventListener("abort", abort);
    end.ended(bytes);
  };
  signal?.addEventListener("abort", abort);
  if (signal?.aborted === true) abort();
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const step = await reader.read().catch((error: unknown) => {
          fail(error);
          throw error;
        });
        if (step.done) {
          finish();
          controller.close();
        } else {
          bytes += step.value.byteLength;
          controller.enqueue(step.value);
        }
      },
      cancel(reason) {
        finish();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
