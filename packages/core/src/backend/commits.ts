import type { Clock } from "../contract/clock.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Turns } from "./turns.ts";

/** Changes and bytes of one transaction, so that none takes long. */
export const mostChangesAtOnce = 1_000;
export const mostBytesAtOnce: number = 8 * 1024 * 1024;

/** Milliseconds between two tries to get a lock that another connection holds: at first, and at most. */
const firstWait = 1;
const longestWait = 25;

/** What became of a group of changes. */
export interface Committed<O> {
  /** One for each change. */
  readonly outcomes: readonly O[];
  /** There is something left to do beside changes, such as sweeping: commit again soon, if only an empty group. */
  readonly more: boolean;
}

/** Changes that are answered together. */
export interface SubmittedChanges<C, O> {
  readonly changes: readonly C[];
  /** Bytes of their values. */
  readonly size: number;
  readonly signal: AbortSignal | undefined;
  /** Gets an outcome for each change. */
  readonly settle: (outcomes: readonly O[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitOptions<C, O> {
  /** Makes a group of changes in one transaction, at once or elsewhere. Rejects where none of them was made. */
  readonly run: (changes: readonly C[], now: number) => Committed<O> | Promise<Committed<O>>;
  /** Runs something when all that is ready to run has run: `process.nextTick`, where there is one. */
  readonly soon: (run: () => void) => void;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Whether an error says that somebody else holds the lock, so that the group is tried again. @default none does */
  readonly isBusy?: ((error: unknown) => boolean) | undefined;
  /** Milliseconds after which a lock that somebody else holds is an error. @default 10_000 */
  readonly busyTimeout?: number | undefined;
}

/**
 * Groups the writes of a backend with transactions: all changes that come in while one turn of the event loop runs go into
 * one transaction, so that they share its cost, the sync of the disk above all. Groups follow one another; a change is
 * answered when its transaction is committed.
 */
export class Commits<C, O> {
  readonly #options: CommitOptions<C, O>;
  #waiting: SubmittedChanges<C, O>[] = [];
  #committing = false;
  #stopped = false;
  /** Transactions, and changes, that were committed. */
  transactions = 0;
  changes = 0;

  constructor(options: CommitOptions<C, O>) {
    this.#options = options;
  }

  /** Sends changes; those with a signal that is aborted before they were sent are not made. */
  submit(submitted: SubmittedChanges<C, O>): void {
    if (this.#stopped) {
      submitted.reject(new StorageError("closed", "The storage is closed; make a new one."));
      return;
    }
    this.#waiting.push(submitted);
    this.#start();
  }

  /** Answers when all that was submitted before is answered. */
  idle(): Promise<void> {
    return new Promise((resolve) =>
      this.submit({ changes: [], size: 0, signal: undefined, settle: () => resolve(), reject: () => resolve() }),
    );
  }

  /** Refuses changes from now on: the store is about to be closed. Those that wait already are made. */
  stop(): void {
    this.#stopped = true;
  }

  #start(): void {
    if (this.#committing) return;
    this.#committing = true;
    // Everything that wants to write in this turn has said so by then.
    this.#options.soon(() => void this.#commitAll());
  }

  async #commitAll(): Promise<void> {
    const { turns, clock } = this.#options;
    let more = false;
    while (this.#waiting.length > 0 || (more && !this.#stopped)) {
      if (!turns.hasTime) await turns.next();
      const group = this.#takeGroup();
      const committing = this.#commit(group, clock.now());
      // Waits for nothing where nothing is to be waited for.
      more = committing instanceof Promise ? await committing : committing;
      if (more) await turns.next();
    }
    this.#committing = false;
  }

  #takeGroup(): readonly SubmittedChanges<C, O>[] {
    let size = 0;
    let count = 0;
    let changes = 0;
    for (const submitted of this.#waiting) {
      if (count > 0 && (changes + submitted.changes.length > mostChangesAtOnce || size + submitted.size > mostBytesAtOnce)) break;
      size += submitted.size;
      changes += submitted.changes.length;
      count++;
    }
    const group = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    return group;
  }

  /** Answers whether there is more to sweep. */
  #commit(group: readonly SubmittedChanges<C, O>[], now: number): boolean | Promise<boolean> {
    const live = withoutAborted(group);
    if (live.length === 0 && group.length > 0) return false;
    try {
      const committed = this.#options.run(changesOf(live), now);
      if (!(committed instanceof Promise)) return this.#answer(live, committed);
      return committed.then(
        (result) => this.#answer(live, result),
        (error: unknown) => this.#failed(live, error, now),
      );
    } catch (error) {
      return this.#failed(live, error, now);
    }
  }

  #answer(group: readonly SubmittedChanges<C, O>[], { outcomes, more }: Committed<O>): boolean {
    this.transactions++;
    this.changes += outcomes.length;
    let start = 0;
    for (const { changes, settle } of group) {
      settle(changes.length === outcomes.length ? outcomes : outcomes.slice(start, start + changes.length));
      start += changes.length;
    }
    return more;
  }

  #failed(group: readonly SubmittedChanges<C, O>[], error: unknown, began: number): boolean | Promise<boolean> {
    if (this.#options.isBusy?.(error) === true) return this.#commitLater(group, error, began);
    for (const { reject } of group) reject(error);
    return false;
  }

  /** Tries again until the lock is free, without holding up the thread: timers and signals live on. */
  async #commitLater(group: readonly SubmittedChanges<C, O>[], error: unknown, began: number): Promise<boolean> {
    const { run, clock, busyTimeout = 10_000 } = this.#options;
    let live = group;
    let busy = error;
    for (let wait = firstWait; clock.now() - began < busyTimeout; wait = Math.min(wait * 2, longestWait)) {
      await clock.sleep(wait * (0.5 + Math.random() / 2));
      live = withoutAborted(live);
      if (live.length === 0) return false;
      try {
        return this.#answer(live, await run(changesOf(live), clock.now()));
      } catch (next) {
        if (this.#options.isBusy?.(next) !== true) return this.#failed(live, next, began);
        busy = next;
      }
    }
    for (const { reject } of live) reject(busy);
    return false;
  }
}

function changesOf<C, O>(group: readonly SubmittedChanges<C, O>[]): readonly C[] {
  return group.length === 1 ? group[0]!.changes : group.flatMap(({ changes }) => changes);
}

/** Tells those who gave up so, and answers the rest. */
function withoutAborted<C, O>(group: readonly SubmittedChanges<C, O>[]): readonly SubmittedChanges<C, O>[] {
  if (!group.some(({ signal }) => signal?.aborted)) return group;
  return group.filter(({ signal, reject }) => {
    if (signal?.aborted !== true) return true;
    reject(signal.reason);
    return false;
  });
}
