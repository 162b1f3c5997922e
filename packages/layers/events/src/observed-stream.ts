import type { Bytes } from "@stowage/core";

/** Hears of the end of a stream. */
export interface StreamEnd {
  /** It was read to its end, or cancelled, after this many bytes. */
  ended(bytes: number): void;
  failed(error: unknown): void;
}

/** A stream that hands on the chunks of another one as they are asked for. */
export function observedStream(stream: ReadableStream<Bytes>, end: StreamEnd): ReadableStream<Bytes> {
  const reader = stream.getReader();
  let bytes = 0;
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const step = await reader.read().catch((error: unknown) => {
          end.failed(error);
          throw error;
        });
        if (step.done) {
          end.ended(bytes);
          controller.close();
        } else {
          bytes += step.value.byteLength;
          controller.enqueue(step.value);
        }
      },
      cancel(reason) {
        end.ended(bytes);
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
