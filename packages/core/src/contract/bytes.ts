import type { ByteSource, Bytes } from "./contract.ts";
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

/** A stream of one value, which ends with the signal's reason when that is aborted before the value was taken. */
export function streamOf(value: Bytes, signal?: AbortSignal): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>(
    {
      pull(controller) {
        if (signal?.aborted === true) return controller.error(signal.reason);
        if (value.byteLength > 0) controller.enqueue(value);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
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
    (typeof source === "object" && source !== null && (isStream(source) || isIterable(source)));
  if (!streamed) throw notASource(source, storage, key);
  if (isStream(source) && source.locked) {
    throw new StorageError("invalid-value", "write takes a stream that nobody else reads; this one is locked.", {
      operation: "write",
      storage,
      key,
    });
  }
}

/**
 * The chunks of a source, each checked to be bytes. The source is cancelled when the reader stops early and when the
 * signal is aborted, also while the source hangs. Whoever never starts reading calls `cancelSource`.
 */
export async function* readSource(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  if (signal?.aborted === true) {
    cancelSource(source, signal.reason);
    throw signal.reason;
  }
  const iterator = openSource(source);
  const race = signal === undefined ? undefined : new AbortRace(signal);
  let finished = false;
  try {
    for (;;) {
      const next = iterator.next();
      const step = await (race === undefined ? next : race.run(next));
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
    race?.dispose();
    if (!finished) stopSource(iterator, signal?.reason);
  }
}

/** Tells a source that nobody will read it. What it answers is not waited for. Takes anything, so that a refused one can be let go. */
export function cancelSource(source: ByteSource, reason?: unknown): void {
  if (typeof source !== "object" || source === null || source instanceof Blob) return;
  if (isStream(source)) {
    if (!source.locked) source.cancel(reason).catch(ignore);
    return;
  }
  // A stream of Node holds its file or socket before it is iterated, and only `destroy` lets go of it then.
  if (isDestroyable(source)) source.destroy();
  else if (isIterable(source)) stopSource(source[Symbol.asyncIterator](), reason);
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

/** What gives the chunks of an open source. */
export interface ChunkIterator {
  next(): Promise<IteratorResult<Bytes, unknown>>;
  return?(value?: unknown): Promise<unknown>;
}

/** Opens a source. Whoever does not read it to its end calls `stopSource`. */
export function openSource(source: ByteSource): ChunkIterator {
  const opened = typeof source === "function" ? source() : source instanceof Blob ? (source.stream() as ReadableStream<Bytes>) : source;
  if (typeof opened !== "object" || opened === null) throw notASource(opened);
  if (isStream(opened)) {
    const reader = opened.getReader();
    return { next: () => reader.read() as Promise<IteratorResult<Bytes, unknown>>, return: (reason) => reader.cancel(reason) };
  }
  if (isIterable(opened)) return opened[Symbol.asyncIterator]();
  throw notASource(opened);
}

/** Lets go of an open source before its end. What it answers is not waited for. */
export function stopSource(iterator: ChunkIterator, reason?: unknown): void {
  try {
    iterator.return?.(reason)?.catch(ignore);
  } catch {
    // A source that fails while it is cancelled has nothing more to tell.
  }
}

/** A promise, or the signal's reason where that comes first. The promise itself goes on, and its failure is nobody's then. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const race = new AbortRace(signal);
  return race.run(promise).finally(() => race.dispose());
}

/** Races one promise after the other with a signal, and leaves nothing behind for each of them. */
class AbortRace {
  readonly #signal: AbortSignal;
  #reject: (reason: unknown) => void = ignore;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this, { once: true });
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
      if (this.#signal.aborted) this.handleEvent();
    });
  }

  handleEvent(): void {
    this.#reject(this.#signal.reason);
  }

  dispose(): void {
    this.#signal.removeEventListener("abort", this);
  }
}

const isStream = (source: object): source is ReadableStream<Bytes> => "getReader" in source;
const isDestroyable = (source: object): source is { destroy(): unknown } => "destroy" in source && typeof source.destroy === "function";
const isIterable = (source: object): source is AsyncIterable<Bytes> => Symbol.asyncIterator in source;

function notASource(source: unknown, storage?: string, key?: string): StorageError {
  const message = `write takes a stream, an async iterable, a Blob or a function that makes one, got ${describe(source)}.`;
  return new StorageError("invalid-value", message, { operation: "write", storage, key });
}

const ignore = (): void => {};

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}
