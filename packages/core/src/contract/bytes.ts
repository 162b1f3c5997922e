import type { Bytes } from "./contract.ts";
import { kindOf } from "./kind-of.ts";
import { StorageError } from "./storage-error.ts";

/** A copy that owns its memory, as a plain `Uint8Array`, of any `Uint8Array` or `Buffer`. */
export function copyBytes(value: Uint8Array): Bytes {
  return new Uint8Array(value);
}

/** The value itself where it is already a plain `Uint8Array` that owns all of its memory, else a copy. */
export function ownedBytes(value: Uint8Array): Bytes {
  return value.constructor === Uint8Array && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength
    ? (value as Bytes)
    : copyBytes(value);
}

/** Refuses what is not bytes. */
export function checkBytes(value: unknown, operation: string, storage: string, key?: string): asserts value is Uint8Array {
  if (value instanceof Uint8Array) return;
  throw new StorageError("invalid-value", `A byte storage takes a Uint8Array, got ${kindOf(value)}.`, { operation, storage, key });
}

/** All chunks as one value. */
export function concatBytes(chunks: readonly Uint8Array[]): Bytes {
  const first = chunks[0];
  if (first !== undefined && chunks.length === 1) return ownedBytes(first);
  let size = 0;
  for (const chunk of chunks) size += chunk.byteLength;
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/** The absolute range that `start` and `end` mean for a value of `size` bytes, as in `Blob.slice`. */
export function resolveRange(size: number, start = 0, end: number = size): { readonly start: number; readonly end: number } {
  const first = start < 0 ? Math.max(size + start, 0) : Math.min(start, size);
  const last = end < 0 ? Math.max(size + end, 0) : Math.min(end, size);
  return { start: first, end: Math.max(first, last) };
}

/** Bytes of a chunk of `streamOf`. */
const chunkSize = 64 * 1024;

/**
 * A stream of a value that is in memory, which must stay as it is until the stream has ended. Its chunks own their memory;
 * a value of one chunk that owns its own is handed out itself. Ends with the signal's reason when that is aborted.
 */
export function streamOf(value: Bytes, signal?: AbortSignal): ReadableStream<Bytes> {
  let position = 0;
  return new ReadableStream<Bytes>(
    {
      pull(controller) {
        signal?.throwIfAborted();
        const chunk = value.subarray(position, position + chunkSize);
        position += chunk.byteLength;
        if (chunk.byteLength > 0) controller.enqueue(chunk.byteLength === value.byteLength ? ownedBytes(value) : copyBytes(chunk));
        if (position === value.byteLength) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
