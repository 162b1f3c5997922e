import { wrongSize } from "../backend/base-byte-storage.ts";
import { cancelSource, isRepeatable, readSource } from "../contract/sources.ts";
import type { ByteSource, Bytes } from "../contract/contract.ts";

/** A source seen through a layer over bytes: what it gives is encoded on its way down. */
export interface EncodedSource {
  /** Can be read again where the source can. */
  readonly source: ByteSource;
  /** The plain bytes that were read. */
  size(): number;
}

interface EncodedSourceOptions {
  /** Plain bytes that the source was said to give. */
  readonly size: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Names of the storage and the entry, for errors. */
  readonly storage: string;
  readonly key: string;
}

/** One reading of the source. */
interface Run {
  readonly signal: AbortSignal;
  /** Whether the source was opened; from then on its reader cancels it. */
  begun: boolean;
}

/** Puts `encode` between a source and the storage that reads it. However the storage stops, the source is cancelled. */
export function encodedSource(
  source: ByteSource,
  encode: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Bytes>,
  { size, signal, storage, key }: EncodedSourceOptions,
): EncodedSource {
  let received = 0;

  async function* counted(run: Run): AsyncGenerator<Uint8Array, void, void> {
    run.begun = true;
    received = 0;
    for await (const chunk of readSource(source, run.signal)) {
      received += chunk.byteLength;
      if (size !== undefined && received > size) throw wrongSize(size, "more", storage, key);
      yield chunk;
    }
    if (size !== undefined && received < size) throw wrongSize(size, String(received), storage, key);
  }

  /** The encoded chunks. An iterator of our own, because a generator that waits for a source cannot be told to stop. */
  const open = (): AsyncIterable<Bytes> => {
    const stop = new AbortController();
    const run: Run = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]), begun: false };
    const encoded = encode(counted(run))[Symbol.asyncIterator]();
    const iterator: AsyncIterator<Bytes> = {
      next: () => encoded.next(),
      async return(reason: unknown) {
        if (!run.begun) cancelSource(source, reason);
        stop.abort(reason);
        await encoded.return?.();
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
  };

  if (isRepeatable(source)) return { source: open, size: () => received };
  let opened: AsyncIterable<Bytes> | undefined;
  return { source: { [Symbol.asyncIterator]: () => (opened ??= open())[Symbol.asyncIterator]() }, size: () => received };
}
