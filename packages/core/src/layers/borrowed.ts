import type { Clock } from "../contract/clock.ts";
import type { Storage } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";
import { checkOptions } from "../plugin/check-options.ts";
import type { Call, Next } from "../shapes/around-storage.ts";
import { AroundStorage } from "../shapes/around-storage.ts";
import type { AnyLayer } from "../shapes/layer.ts";
import { anyLayer } from "../shapes/layer.ts";

export interface BorrowedOptions {
  /** For `ttl`. @default that of the storage below */
  readonly clock?: Clock | undefined;
}

/**
 * A storage that somebody else owns: `close` leaves it open. Calls through this one are `closed` from then on; those that
 * run, and streams that were handed out, go on.
 *
 * Place in the stack: right above the storage that several stacks share.
 *
 * ```ts
 * const users = stack(shared, borrowed(), prefixed("users/"), json<User>());
 * ```
 */
export function borrowed(options?: BorrowedOptions): AnyLayer {
  if (options !== undefined) checkOptions({}, options, "borrowed");
  return anyLayer((inner) => new BorrowedStorage(inner, options));
}

/** What `borrowed()` makes. */
export class BorrowedStorage<V> extends AroundStorage<V> {
  readonly name = "borrowed";
  #closed = false;

  constructor(inner: Storage<V>, { clock }: BorrowedOptions = {}) {
    super(inner, clock);
  }

  protected override around<T>({ operation, key }: Call, next: Next<T>): Promise<T> {
    if (!this.#closed) return next();
    const message = "This storage was closed by its borrower; borrow it again.";
    return Promise.reject(new StorageError("closed", message, { operation, key, storage: this.name }));
  }

  override async close(): Promise<void> {
    this.#closed = true;
  }
}
