import type { Clock } from "../contract/clock.ts";
import { systemClock } from "../contract/clock.ts";
import type { ByteSource } from "../contract/contract.ts";
import { untilAborted } from "../contract/sources.ts";
import { StorageError } from "../contract/storage-error.ts";
import { writing } from "../shapes/rejecting.ts";

export interface LifecycleOptions {
  /** Name of the storage, for errors. */
  readonly name: string;
  /** The I/O that makes the storage ready. Runs before the first call; a failed one is tried again by the next. */
  readonly open?: (() => Promise<void>) | undefined;
  /** Runs after the last call, before `release`. */
  readonly flush?: (() => Promise<void>) | undefined;
  /** Frees what was opened. Runs even when `flush` failed, and only if `open` succeeded. */
  readonly release?: (() => Promise<void>) | undefined;
  readonly clock?: Clock | undefined;
  /** Milliseconds that `close` waits for running calls. @default 10_000 */
  readonly closeTimeout?: number | undefined;
}

/** Open and close as the contract asks: open on the first call, refuse calls after close, wait for running ones, close once. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  #opening: Promise<void> | undefined;
  #opened: boolean;
  #closing: Promise<void> | undefined;
  /** Closed although a call still ran. */
  #abandoned = false;
  #running = 0;
  #inStep = false;
  #idle: (() => void) | undefined;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#opened = options.open === undefined;
  }

  /** Whether a call may go on at once: opened and not closed. For synchronous fast paths. */
  get ready(): boolean {
    return this.#opened && this.#closing === undefined;
  }

  /** Throws `closed` once `close` was called, but for a step of a call that runs. */
  check(operation: string): void {
    if (this.#closing === undefined || (this.#inStep && !this.#abandoned)) return;
    throw storageClosed(this.#options.name, operation);
  }

  /** Runs one call between open and close. The signal ends the wait for the open; after that it is up to `work`. */
  async run<T>(operation: string, work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    this.check(operation);
    signal?.throwIfAborted();
    this.#running++;
    try {
      if (!this.#opened) await untilAborted(this.#open(), signal);
      if (this.#abandoned) this.check(operation);
      return await work();
    } finally {
      this.#ended();
    }
  }

  /** Counts a call of a layer as running until it has settled. A layer has nothing to open. */
  during<T>(operation: string, call: () => Promise<T>): Promise<T> {
    try {
      return this.#counted(operation, call);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `during`, for a write: its source is cancelled where it is refused. */
  duringWrite<T>(source: ByteSource, call: () => Promise<T>): Promise<T> {
    return writing(source, () => this.#counted("write", call));
  }

  /** Begins a step of a call that is counted already and made of several: `close` waits for that call, and refuses none of its steps. */
  step<T>(begin: () => T): T {
    const before = this.#inStep;
    this.#inStep = true;
    try {
      return begin();
    } finally {
      this.#inStep = before;
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  #counted<T>(operation: string, call: () => Promise<T>): Promise<T> {
    this.check(operation);
    const running = call();
    this.#running++;
    return running.then<T>(this.#passOn, this.#failOn);
  }

  #ended(): void {
    if (--this.#running === 0) this.#idle?.();
  }

  // Made once, so that a call that is counted costs no closures.
  readonly #passOn = <T>(result: T): T => {
    this.#ended();
    return result;
  };

  readonly #failOn = (error: unknown): never => {
    this.#ended();
    throw error;
  };

  #open(): Promise<void> {
    return (this.#opening ??= this.#options.open!().then(
      () => {
        this.#opened = true;
      },
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    ));
  }

  async #close(): Promise<void> {
    await Promise.resolve(); // so that #closing is set, and new calls are refused, before anything else runs
    if (this.#running > 0) await this.#untilIdle();
    this.#abandoned = this.#running > 0;
    const { flush, release } = this.#options;
    if (!this.#opened) {
      this.#opening?.then(release).catch(() => {}); // an open that ends after the close leaves nothing behind
      return;
    }
    const failures: unknown[] = [];
    for (const step of [flush, release]) await step?.().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  async #untilIdle(): Promise<void> {
    const { clock = systemClock, closeTimeout = 10_000 } = this.#options;
    const stop = new AbortController();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    await Promise.race([idle, clock.sleep(closeTimeout, stop.signal).catch(() => {})]);
    stop.abort();
  }
}

/** What a call gets of a storage that is closed. */
export function storageClosed(storage: string, operation: string, key?: string): StorageError {
  return new StorageError("closed", `The storage "${storage}" is closed; make a new one.`, { operation, key, storage });
}

/** The lifecycle of a layer that still has work to do on a call before it is below, or after: `close` waits for it, then closes what is below. */
export function layerLifecycle(layer: { readonly name: string }, below: { close(): Promise<void> }, clock: Clock): Lifecycle {
  return new Lifecycle({
    get name() {
      return layer.name; // not there yet when the layer is made
    },
    clock,
    release: () => below.close(),
  });
}
