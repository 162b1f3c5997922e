import type { ByteStorage, Clock, Options } from "@stowage/core";
import { checkOptions, option, StorageError, systemClock } from "@stowage/core";
import type { DeadLetter } from "./queue.ts";

export interface BehindOptions {
  /** Where a write is kept until it has reached the storage below; for this layer alone, and closed by it. @default memory, which a crash empties */
  readonly journal?: ByteStorage | undefined;
  /** Milliseconds that a write waits for later ones of its key, and for others to go along with it. @default 1_000 */
  readonly window?: number | undefined;
  /** Writes that go below together at the most, and that end the wait when so many are there. @default 64 */
  readonly batch?: number | undefined;
  /** Batches under way at once. @default 4 */
  readonly concurrency?: number | undefined;
  /** Writes that may be pending; the next ones wait. @default 10_000 */
  readonly maxPending?: number | undefined;
  /** Bytes of their values; the next ones wait. A larger value is taken when nothing else is pending. @default 64 MiB */
  readonly maxPendingSize?: number | undefined;
  /** Milliseconds after which an attempt is told to end. @default 60_000 */
  readonly attemptTimeout?: number | undefined;
  /** Milliseconds that the wait before the second attempt takes at the most; it doubles from there. @default 100 */
  readonly minDelay?: number | undefined;
  /** Milliseconds that any wait takes at the most, unless the store asked for more. @default 30_000 */
  readonly maxDelay?: number | undefined;
  /** Milliseconds that `close` goes on with writing what is pending. @default 10_000 */
  readonly closeTimeout?: number | undefined;
  /** Told of each write that the storage below refused for good. What it throws is ignored. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  /** A number from 0 up to 1 for the jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default for waits the clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

type Optional = "journal" | "onDeadLetter";
export type Settings = { readonly [Name in Exclude<keyof BehindOptions, Optional>]-?: NonNullable<BehindOptions[Name]> } & Pick<
  BehindOptions,
  Optional
>;

/** The options as a storage file knows them. `onDeadLetter` and `random` can only be given in code. */
export const definitions: Options = {
  journal: option.byteStorage("Where a write is kept until it has reached the storage below; without it in memory, which a crash empties."),
  window: option.duration("How long a write waits for later ones of its key, and for others to go along with it.", { default: 1_000 }),
  batch: option.whole("Writes that go below together at the most, and that end the wait when so many are there.", { min: 1, default: 64 }),
  concurrency: option.whole("Batches under way at once.", { min: 1, default: 4 }),
  maxPending: option.whole("Writes that may be pending; the next ones wait.", { min: 1, default: 10_000 }),
  maxPendingSize: option.size("Bytes of their values; the next ones wait.", { min: 1, default: 64 * 1024 * 1024 }),
  attemptTimeout: option.duration("After how long an attempt is told to end.", { min: 1, default: 60_000 }),
  minDelay: option.duration("How long the wait before the second attempt takes at the most; it doubles from there.", { default: 100 }),
  maxDelay: option.duration("How long any wait takes at the most, unless the store asked for more.", { default: 30_000 }),
  closeTimeout: option.duration("How long close goes on with writing what is pending.", { default: 10_000 }),
};

/** Options with their defaults, checked. */
export function settle(options: BehindOptions): Settings {
  checkOptions(definitions, options, "behind", ["onDeadLetter", "random"]);
  const settings: Settings = {
    journal: options.journal,
    window: options.window ?? 1_000,
    batch: options.batch ?? 64,
    concurrency: options.concurrency ?? 4,
    maxPending: options.maxPending ?? 10_000,
    maxPendingSize: options.maxPendingSize ?? 64 * 1024 * 1024,
    attemptTimeout: options.attemptTimeout ?? 60_000,
    minDelay: options.minDelay ?? 100,
    maxDelay: options.maxDelay ?? 30_000,
    closeTimeout: options.closeTimeout ?? 10_000,
    onDeadLetter: options.onDeadLetter,
    random: options.random ?? Math.random,
    clock: options.clock ?? systemClock,
  };
  check(settings.maxDelay >= settings.minDelay, "maxDelay must be at least minDelay");
  check(settings.journal?.capabilities.list !== "none", "the journal must be able to list what it holds");
  return settings;
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new StorageError("invalid-option", `behind: ${problem}.`, { storage: "behind" });
}
