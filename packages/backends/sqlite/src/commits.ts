import type { Clock, Turns } from "@stowage/core";
import type { Change, Outcome } from "./changes.ts";
import { isBusy } from "./faults.ts";
import type { Committed } from "./transactions.ts";

/** Changes and bytes of one transaction, so that none takes long. */
export const mostChanges = 1_000;
export const mostBytes: number = 8 * 1024 * 1024;

/** Milliseconds between two tries to get a lock that another connection holds: at first, and at most. */
const firstWait = 1;
const longestWait = 25;

/** Makes a group of changes, at once or on a thread. Throws or rejects when another connection holds the lock. */
export type RunGroup = (changes: readonly Change[], now: number) => Committed | Promise<Committed>;

/** Changes that are answered together. */
export interface Waiting {
  readonly changes: readonly Change[];
  /** Bytes of their values. */
  readonly size: number;
  readonly signal: AbortSignal | undefined;
  /** Gets an outcome for each change. */
  readonly settle: (outcomes: readonly Outcome[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitOptions {
  readonly run: RunGroup;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Milliseconds after which a lock that another connection holds is an error. */
  readonly busyTimeout: number;
}

/**
 * Groups writes: all changes that come in while one turn of the event loop runs go into one transaction, so that they share
 * its cost, the sync of the disk above all. A change is answered when its transaction is committed.
 */
export class Commits {
  readonly #options: CommitOptions;
  #waiting: Waiting[] = [];
  #committing = false;
  #stopped = false;
  transactions = 0;
  changes = 0;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Sends changes; those with a signal that is aborted before they were sent are not made. */
  submit(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#start();
  }

  /** Answers when all that was submitted before is answered. */
  idle(): Promise<void> {
    return new Promise((resolve) =>
      this.submit({ changes: [], size: 0, signal: undefined, settle: () => resolve(), reject: () => resolve() }),
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  #start(): void {
    if (this.#committing) return;
    this.#committing = true;
    // After all that is ready to run has run: everything that wants to write in this turn has said so by then.
    process.nextTick(() => void this.#commitAll());
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

  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    let changes = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && (changes + waiting.changes.length > mostChanges || size + waiting.size > mostBytes)) break;
      size += waiting.size;
      changes += waiting.changes.length;
      count++;
    }
    const group = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    return group;
  }

  /** Answers whether there is more to sweep. */
  #commit(group: readonly Waiting[], now: number): boolean | Promise<boolean> {
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

  #answer(group: readonly Waiting[], { outcomes, more }: Committed): boolean {
    this.transactions++;
    this.changes += outcomes.length;
    let start = 0;
    for (const { changes, settle } of group) {
      settle(changes.length === outcomes.length ? outcomes : outcomes.slice(start, start + changes.length));
      start += changes.length;
    }
    return more;
  }

  #failed(group: readonly Waiting[], error: unknown, began: number): boolean | Promise<boolean> {
    if (isBusy(error)) return this.#commitLater(group, error, began);
    for (const { reject } of group) reject(error);
    return false;
  }

  /** Tries again until the lock is free, without holding up the thread: timers and signals live on. */
  async #commitLater(group: readonly Waiting[], error: unknown, began: number): Promise<boolean> {
    const { run, clock, busyTimeout } = this.#options;
    let live = group;
    let busy = error;
    for (let wait = firstWait; clock.now() - began < busyTimeout; wait = Math.min(wait * 2, longestWait)) {
      await clock.sleep(wait * (0.5 + Math.random() / 2));
      live = withoutAborted(live);
      if (live.length === 0) return false;
      try {
        return this.#answer(live, await run(changesOf(live), clock.now()));
      } catch (next) {
        if (!isBusy(next)) return this.#failed(live, next, began);
        busy = next;
      }
    }
    for (const { reject } of live) reject(busy);
    return false;
  }
}

function changesOf(group: readonly Waiting[]): readonly Change[] {
  return group.length === 1 ? group[0]!.changes : group.flatMap(({ changes }) => changes);
}

/** Tells those who gave up so, and answers the rest. */
function withoutAborted(group: readonly Waiting[]): readonly Waiting[] {
  if (!group.some(({ signal }) => signal?.aborted)) return group;
  return group.filter(({ signal, reject }) => {
    if (signal?.aborted !== true) return true;
    reject(signal.reason);
    return false;
  });
}
