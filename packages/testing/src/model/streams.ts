import type { Bytes, ByteSource } from "@stowage/core";
import { concatBytes } from "@stowage/core";
import type { PutStep } from "./steps.ts";

/** A value as a source of this form, in up to three chunks. */
export function sourceOf(value: Bytes, form: NonNullable<PutStep["source"]>): ByteSource {
  const third = Math.ceil(value.byteLength / 3);
  const chunks = [0, 1, 2].map((index) => value.subarray(index * third, (index + 1) * third)).filter(({ byteLength }) => byteLength > 0);
  switch (form) {
    case "blob":
      return new Blob(chunks);
    case "stream":
      return streamOfChunks(chunks);
    case "function":
      return () => streamOfChunks(chunks);
    case "iterable":
      return (async function* () {
        yield* chunks;
      })();
  }
}

/** The bytes of a stream; after `limit` bytes it is cancelled. */
export async function collect(stream: ReadableStream<Bytes>, limit: number = Number.POSITIVE_INFINITY): Promise<Bytes> {
  const reader = stream.getReader();
  const chunks: Bytes[] = [];
  let received = 0;
  while (received < limit) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(chunks);
    chunks.push(value);
    received += value.byteLength;
  }
  await reader.cancel();
  return concatBytes(chunks);
}

function streamOfChunks(chunks: readonly Bytes[]): ReadableStream<Bytes> {
  let next = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}
