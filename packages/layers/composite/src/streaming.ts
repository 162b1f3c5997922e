import type { Bytes, ByteSource, EntryInfo } from "@stowage/core";
import { cancelSource, Deadline, openSource, StorageError, stopSource, untilAborted } from "@stowage/core";
import { GivenUp } from "./outcomes.ts";
import type { Replica } from "./replica.ts";

type Chunks = ReturnType<typeof openSource>;

/** The source of a write: remembers that it failed, so that its own error is told and not what the replicas made of it. */
export class WatchedSource implements AsyncIterableIterator<Bytes, undefined> {
  failure: { readonly error: unknown } | undefined;
  readonly #source: ByteSource;
  #chunks: Chunks | undefined;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes, undefined>> {
    try {
      this.#chunks ??= openSource(this.#source);
      const step = await this.#chunks.next();
      return step.done === true ? { done: true, value: undefined } : { done: false, value: step.value };
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async return(reason?: unknown): Promise<IteratorReturnResult<undefined>> {
    if (this.#chunks === undefined) cancelSource(this.#source, reason);
    else stopSource(this.#chunks, reason);
    return { done: true, value: undefined };
  }
}

/**
 * One replica's share of a source. Its time runs while the replica has a chunk or the end and does nothing about it, not
 * while it waits for the source or for the other replicas.
 */
class PacedShare extends Deadline implements AsyncIterableIterator<Bytes, undefined> {
  readonly #replica: Replica;
  readonly #share: ReadableStreamDefaultReader<Bytes>;
  readonly #control = new AbortController();
  readonly #onExpire: () => void;
  #over = false;

  constructor(replica: Replica, share: ReadableStream<Bytes>, onExpire: () => void) {
    super();
    this.#replica = replica;
    this.#share = share.getReader();
    this.#onExpire = onExpire;
    replica.restart(this);
  }

  /** Aborted when the replica took too long. */
  get stopped(): AbortSignal {
    return this.#control.signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Bytes, undefined>> {
    this.leave();
    const step = this.#over ? undefined : await this.#share.read();
    // A share that was taken away has ended too soon, and a replica that has not noticed must not take it for the whole.
    if (this.#over || step === undefined) throw new GivenUp("write");
    this.#replica.restart(this);
    return step.done ? { done: true, value: undefined } : { done: false, value: step.value };
  }

  async return(reason?: unknown): Promise<IteratorReturnResult<undefined>> {
    this.letGo(reason);
    return { done: true, value: undefined };
  }

  /** The write has ended: no more time runs, and the others need not wait for this one. */
  letGo(reason?: unknown): void {
    this.#over = true;
    this.leave();
    this.#share.cancel(reason).catch(() => {});
  }

  override expire(): void {
    const error = new StorageError("timeout", `The replica "${this.#replica.name}" took no chunk within the time limit.`, {
      operation: "write",
      storage: "composite",
      outcome: "unknown",
    });
    this.#over = true;
    this.#control.abort(error);
    this.#share.cancel(error).catch(() => {});
    this.#onExpire();
  }
}

/** Sends a replica its share, and gives up where it takes too long. */
export async function sendShare(
  replica: Replica,
  share: ReadableStream<Bytes>,
  signal: AbortSignal | undefined,
  send: (paced: PacedShare, signal: AbortSignal) => Promise<EntryInfo>,
): Promise<EntryInfo> {
  let expired = (): void => {};
  const expiry = new Promise<never>((_, reject) => {
    expired = () => reject(paced.stopped.reason as Error);
  });
  const paced = new PacedShare(replica, share, () => expired());
  const own = signal === undefined ? paced.stopped : AbortSignal.any([signal, paced.stopped]);
  try {
    return await Promise.race([untilAborted(send(paced, own), signal), expiry]);
  } finally {
    paced.letGo();
  }
}
