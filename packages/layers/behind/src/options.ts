import type { ByteStorage, Clock, Options } from "@stowage/core";
import { checkOptions, option, StorageError, systemClock } from "@stowage/core";
import type { DeadLetter } from "./drain.ts";

export interface BehindOptions {
  /** Where a write is kept until it has reached the storage below; for this layer alone, and closed by it. @default memory, which a crash empties */
  readonly journal?: ByteStorage | undefined;
  /** Milliseconds that writes wait for later ones of their keys. @default 100 */
  readonly window?: number | undefined;
  /** Writes that may be pending; the next ones wait. Half of them end the window. @default 10_000 */
  readonly maxPending?: number | undefined;
  /** Bytes of their values; the next ones wait. A larger value goes below before it is acknowledged, unless it streams into a journal without `size`. @default 64 MiB */
  readonly maxPendingSize?: number | undefined;
  /** Writes that go below at once. @default 8 */
  readonly concurrency?: number | undefined;
  /** Milliseconds after which a write below is told to end, unless it streams. @default 60_000 */
  readonly attemptTimeout?: number | undefined;
  /** Milliseconds that the wait before the second attempt takes at the most; it doubles from there. @default 100 */
  readonly minDelay?: number | undefined;
  /** Milliseconds that any wait takes at the most, unless the store asked for more. @default 30_000 */
  readonly maxDelay?: number | undefined;
  /** Milliseconds that `close` waits for running calls, and again for what is pending. @default 10_000 */
  readonly closeTimeout?: number | undefined;
  /** Told of each write that the storage below refused for good. What it throws or rejects with is counted and changes nothing. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  /** @default for waits the clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

type Optional = "journal" | "onDeadLetter";
export type Settings = { readonly [Name in Exclude<keyof BehindOptions, Optional>]-?: NonNullable<BehindOptions[Name]> } & Pick<
  BehindOptions,
  Optional
>;

/** The options as a storage file knows them. `onDeadLetter` can only be given in code. */
export const definitions: Options = {
  journal: option.byteStorage("Where a write is kept until it has reached the storage below; without it in memory, which a crash empties."),
  window: option.duration("How long writes wait for later ones of their keys.", { default: 100 }),
  maxPending: option.whole("Writes that may be pending; the next ones wait.", { min: 1, default: 10_000 }),
  maxPendingSize: option.size("Bytes of their values; the next ones wait.", { min: 1, default: 64 * 1024 * 1024 }),
  concurrency: option.whole("Writes that go below at once.", { min: 1, default: 8 }),
  attemptTimeout: option.duration("After how long a write below is told to end, unless it streams.", { min: 1, default: 60_000 }),
  minDelay: option.duration("How long the wait before the second attempt takes at the most; it doubles from there.", {
    min: 1,
    default: 100,
  }),
  maxDelay: option.duration("How long any wait takes at the most, unless the store asked for more.", { min: 1, default: 30_000 }),
  closeTimeout: option.duration("How long close waits for running calls, and again for what is pending.", { default: 10_000 }),
};

/** Options with their defaults, checked. */
export function settle(options: BehindOptions): Settings {
  checkOptions(definitions, options, "behind", ["onDeadLetter"]);
  const settings: Settings = {
    journal: options.journal,
    window: options.window ?? 100,
    maxPending: options.maxPending ?? 10_000,
    maxPendingSize: options.maxPendingSize ?? 64 * 1024 * 1024,
    concurrency: options.concurrency ?? 8,
    attemptTimeout: options.attemptTimeout ?? 60_000,
    minDelay: options.minDelay ?? 100,
    maxDelay: options.maxDelay ?? 30_000,
    closeTimeout: options.closeTimeout ?? 10_000,
    onDeadLetter: options.onDeadLetter,
    clock: options.clock ?? systemClock,
  };
  const { journal, minDelay, maxDelay, onDeadLetter } = settings;
  check(maxDelay >= minDelay, "maxDelay must be at least minDelay");
  check(journal?.capabilities.list !== "none", "the journal must be able to list what it holds");
  check(onDeadLetter === undefined || typeof onDeadLetter === "function", "onDeadLetter must be a function");
  return settings;
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new StorageError("invalid-option", `behind: ${problem}.`, { storage: "behind" });
}
