import type { ByteSource, Bytes } from "./contract.ts";
import { kindOf } from "./kind-of.ts";
import { StorageError } from "./storage-error.ts";

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
  hearErrors(source);
}

interface NodeStream {
  listenerCount(event: string): number;
  once(event: string, listener: () => void): unknown;
}

/** An error of a Node stream that nobody listens to ends the process, also before it is read. Whoever reads it then is told of it. */
function hearErrors(source: object): void {
  const stream = source as Partial<NodeStream>;
  if (typeof stream.listenerCount !== "function" || typeof stream.once !== "function") return;
  if (stream.listenerCount("error") === 0) stream.once("error", () => {});
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
        throw new StorageError("invalid-value", `A source gives chunks of Uint8Array, got ${kindOf(step.value)}.`, {
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
  const message = `write takes a stream, an async iterable, a Blob or a function that makes one, got ${kindOf(source)}.`;
  return new StorageError("invalid-value", message, { operation: "write", storage, key });
}

const ignore = (): void => {};
