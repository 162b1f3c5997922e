import type { ByteSource, Bytes } from "./contract.ts";
import { StorageError } from "./storage-error.ts";

/** A copy that owns its memory, as a plain `Uint8Array`, of any `Uint8Array` or `Buffer`. */
export function copyBytes(value: Uint8Array): Bytes {
  const copy = new Uint8Array(value.byteLength);
  copy.set(value);
  return copy;
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
  throw new StorageError("invalid-value", `A byte storage takes a Uint8Array, got ${describe(value)}.`, { operation, storage, key });
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

/** A stream of one value. */
export function streamOf(value: Bytes): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>({
    start(controller) {
      if (value.byteLength > 0) controller.enqueue(value);
      controller.close();
    },
  });
}

/** Whether a source can be opened more than once. */
export function isRepeatable(source: ByteSource): boolean {
  return typeof source === "function" || source instanceof Blob;
}

/** Refuses what is not a source, without opening it. */
export function checkSource(source: unknown, storage: string, key?: string): asserts source is ByteSource {
  const streamed =
    typeof source === "function" ||
    source instanceof Blob ||
    (typeof source === "object" && source !== null && (Symbol.asyncIterator in source || "getReader" in source));
  if (streamed) return;
  throw new StorageError(
    "invalid-value",
    `write takes a stream, an async iterable, a Blob or a function that makes one, got ${describe(source)}.`,
    { operation: "write", storage, key },
  );
}

/**
 * The chunks of a source, each checked to be bytes. The source is cancelled when the reader stops early and when the
 * signal is aborted, also while the source hangs. Whoever never starts reading calls `cancelSource`.
 */
export async function* readSource(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted();
  const iterator = openSource(source);
  const aborted = signal === undefined ? undefined : whenAborted(signal);
  let finished = false;
  try {
    for (;;) {
      const next = iterator.next();
      const step = await (aborted === undefined ? next : Promise.race([next, aborted.promise]));
      if (step.done === true) {
        finished = true;
        return;
      }
      if (!(step.value instanceof Uint8Array)) {
        throw new StorageError("invalid-value", `A source gives chunks of Uint8Array, got ${describe(step.value)}.`, {
          operation: "write",
        });
      }
      yield step.value;
    }
  } finally {
    aborted?.dispose();
    if (!finished) stop(iterator, signal?.reason);
  }
}

/** Tells a source that nobody will read it. What it answers is not waited for. */
export function cancelSource(source: ByteSource, reason?: unknown): void {
  if (typeof source === "function" || source instanceof Blob) return;
  if (source instanceof ReadableStream) {
    if (!source.locked) source.cancel(reason).catch(ignore);
    return;
  }
  stop(source[Symbol.asyncIterator](), reason);
}

/** A signal as a promise that rejects with its reason, to race against; `dispose` frees the listener. */
export function whenAborted(signal: AbortSignal): { readonly promise: Promise<never>; dispose(): void } {
  let abort = ignore;
  const promise = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  promise.catch(ignore);
  return { promise, dispose: () => signal.removeEventListener("abort", abort) };
}

interface ChunkIterator {
  next(): Promise<IteratorResult<Uint8Array, unknown>>;
  return?(value?: unknown): Promise<unknown>;
}

function openSource(source: ByteSource): ChunkIterator {
  const opened = typeof source === "function" ? source() : source instanceof Blob ? (source.stream() as ReadableStream<Bytes>) : source;
  if (!(opened instanceof ReadableStream)) return opened[Symbol.asyncIterator]();
  const reader = opened.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array, unknown>>,
    return: (reason) => reader.cancel(reason),
  };
}

function stop(iterator: ChunkIterator, reason: unknown): void {
  try {
    iterator.return?.(reason)?.catch(ignore);
  } catch {
    // A source that fails while it is cancelled has nothing more to tell.
  }
}

const ignore = (): void => {};

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}
