import { StorageError } from "@stowage/core";
import type { Change, MadeChange } from "./changes.ts";
import { ChangeBuffer } from "./changes.ts";

export interface WatchOptions {
  /** Only changes of keys that begin with it, and clears that may concern such keys. @default every key */
  readonly prefix?: string | undefined;
  /** Ends the iteration with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Changes that are kept for a slow reader at the most. @default 1000 */
  readonly buffer?: number | undefined;
}

/** Who watches the changes of one storage. */
export class Watchers {
  readonly #open = new Set<Watcher>();
  readonly #onChange: () => void;
  /** Changes that slow readers missed so far. */
  missed = 0;

  /** @param onChange runs after somebody came or went */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @param check throws where there is nothing to watch any more */
  watch(options: WatchOptions, check: () => void): AsyncIterable<Change> {
    const { prefix = "", signal, buffer = 1000 } = options;
    if (typeof prefix !== "string") throw invalidOption("prefix must be a string");
    if (!Number.isSafeInteger(buffer) || buffer < 1) throw invalidOption("buffer must be a whole number of at least 1");
    const settings: Settings = { prefix, signal, buffer, check, watchers: this };
    return { [Symbol.asyncIterator]: () => new Watcher(settings) };
  }

  tell(change: MadeChange): void {
    for (const watcher of this.#open) watcher.tell(change);
  }

  endAll(): void {
    for (const watcher of this.#open) watcher.end();
  }

  add(watcher: Watcher): void {
    this.#open.add(watcher);
    this.#onChange();
  }

  remove(watcher: Watcher): void {
    if (this.#open.delete(watcher)) this.#onChange();
  }
}

interface Settings {
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
  readonly buffer: number;
  readonly check: () => void;
  readonly watchers: Watchers;
}

interface Waiting {
  resolve(step: IteratorResult<Change, undefined>): void;
  reject(reason: unknown): void;
}

/** One iteration. It is known to the storage from its first `next` until its end, so that one that never starts leaves nothing. */
class Watcher implements AsyncIterator<Change, undefined> {
  readonly #settings: Settings;
  readonly #changes: ChangeBuffer;
  #waiting: Waiting[] = [];
  #state: "new" | "open" | "ended" = "new";
  /** The reason of the signal, until a `next` has given it. */
  #failure: { readonly reason: unknown } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#changes = new ChangeBuffer(settings.buffer);
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    try {
      if (this.#state === "new") this.#start();
    } catch (error) {
      this.#state = "ended";
      return Promise.reject(error);
    }
    const change = this.#changes.take();
    if (change !== undefined) return Promise.resolve({ done: false, value: change });
    if (this.#failure !== undefined) {
      const { reason } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(reason);
    }
    if (this.#state === "ended") return Promise.resolve(done);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The reader wants no more. */
  return(): Promise<IteratorResult<Change, undefined>> {
    this.end();
    this.#changes.clear();
    this.#failure = undefined;
    return Promise.resolve(done);
  }

  tell(change: MadeChange): void {
    if (!concerns(change, this.#settings.prefix)) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ done: false, value: change });
    else if (!this.#changes.add(change)) this.#settings.watchers.missed++;
  }

  /** No more changes will come; those that are kept can still be taken. */
  end(): void {
    this.#state = "ended";
    this.#settings.watchers.remove(this);
    this.#settings.signal?.removeEventListener("abort", this);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) reader.resolve(done);
  }

  /** The signal was aborted. */
  handleEvent(): void {
    const reason: unknown = this.#settings.signal?.reason;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#failure = { reason };
    else waiting.reject(reason);
    this.#changes.clear();
    this.end();
  }

  #start(): void {
    const { signal, check, watchers } = this.#settings;
    signal?.throwIfAborted();
    check();
    this.#state = "open";
    signal?.addEventListener("abort", this, { once: true });
    watchers.add(this);
  }
}

const done = Object.freeze({ done: true, value: undefined } as const);

function concerns(change: MadeChange, prefix: string): boolean {
  if (change.prefix !== undefined) return change.prefix.startsWith(prefix) || prefix.startsWith(change.prefix);
  return change.key.startsWith(prefix);
}

function invalidOption(problem: string): StorageError {
  return new StorageError("invalid-option", `watch: ${problem}.`, { storage: "events" });
}
