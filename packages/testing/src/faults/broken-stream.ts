import type { ByteSource, Bytes } from "@stowage/core";
import { checkSource } from "@stowage/core";

/** What happens in the middle of a stream: it throws or rejects, or never settles. */
export type Interruption = () => Promise<never>;

/** A stream that gives the first `after` bytes of another, or all where there are fewer, and is then interrupted. */
export function interruptStream(stream: ReadableStream<Bytes>, after: number, interrupt: Interruption): ReadableStream<Bytes> {
  const chunks = interrupted(chunksOf(stream), after, interrupt);
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const { value } = await chunks.next();
        controller.enqueue(value as Bytes);
      },
      async cancel(reason) {
        await chunks.return?.(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** A source that is interrupted after `after` bytes, or at its end. It can be read again where the other one can. */
export function interruptSource(source: ByteSource, after: number, interrupt: Interruption): ByteSource {
  return mapSource(source, (chunks) => interrupted(chunks, after, interrupt));
}

/** A source that shows each chunk on its way, and says `"again"` when it is read from the start. */
export function watchSource(source: ByteSource, see: (chunk: Uint8Array | "again") => void): ByteSource {
  return mapSource(source, (chunks) => {
    see("again");
    return {
      async next() {
        const step = await chunks.next();
        if (step.done !== true) see(step.value);
        return step;
      },
      return: (reason) => chunks.return?.(reason) ?? ended,
    };
  });
}

type Chunks = AsyncIterator<Bytes, unknown, unknown>;

const ended: Promise<IteratorResult<Bytes, unknown>> = Promise.resolve({ done: true, value: undefined });

function interrupted(chunks: Chunks, after: number, interrupt: Interruption): Chunks {
  let left = after;
  const stop = (reason: unknown): Promise<IteratorResult<Bytes, unknown>> => chunks.return?.(reason) ?? ended;
  const interruptAndStop = (): Promise<never> =>
    interrupt().catch((error: unknown) => {
      stop(error).catch(() => {}); // what a broken stream does not give any more, nobody reads
      throw error;
    });
  return {
    async next() {
      if (left <= 0) return await interruptAndStop();
      const step = await chunks.next();
      if (step.done === true) return await interruptAndStop();
      const chunk = step.value.slice(0, left);
      left -= chunk.byteLength;
      return { done: false, value: chunk };
    },
    return: stop,
  };
}

function mapSource(source: ByteSource, map: (chunks: Chunks) => Chunks): ByteSource {
  if (!isSource(source)) return source; // to be refused below, as it is
  if (typeof source === "function") return () => ({ [Symbol.asyncIterator]: () => map(chunksOf(source())) });
  if (source instanceof Blob) return () => ({ [Symbol.asyncIterator]: () => map(chunksOf(source.stream())) });
  return { [Symbol.asyncIterator]: () => map(chunksOf(source)) };
}

function isSource(source: unknown): boolean {
  try {
    checkSource(source, "source");
    return true;
  } catch {
    return false;
  }
}

/** The chunks of a stream through its reader, because its own iterator waits for a hanging chunk before it cancels. */
function chunksOf(source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): Chunks {
  if (!(source instanceof ReadableStream)) return source[Symbol.asyncIterator]() as Chunks;
  const reader = source.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Bytes, unknown>>,
    return: (reason) => reader.cancel(reason).then(() => ({ done: true, value: undefined })),
  };
}
