import type { Clock } from "../contract/clock.ts";
import type { Capabilities, Details, OperationName, Storage } from "../contract/contract.ts";
import { byteLength, checkKey, isKey, maxKeySize } from "../contract/keys.ts";
import { StorageError } from "../contract/storage-error.ts";
import { checkOptions } from "../plugin/check-options.ts";
import type { AnyLayer } from "../shapes/layer.ts";
import { anyLayer } from "../shapes/layer.ts";
import { RekeyedStorage } from "../shapes/rekeyed-storage.ts";

export interface PrefixedOptions {
  /** For `ttl`. @default that of the storage below */
  readonly clock?: Clock | undefined;
}

/** What every storage takes; a prefix leaves room for it. */
const sureKeySize = 200;

/**
 * Only what is below a prefix, under keys without it: several storages in one.
 *
 * Place in the stack: anywhere, but moving it across a layer that binds values to their keys (encryption) makes them
 * unreadable. An inner key that is the prefix and nothing more cannot be seen, but `clear()` removes it too.
 *
 * ```ts
 * const users = stack(files, prefixed("users/"), json<User>());
 * ```
 *
 * @param prefix up to 824 bytes; put the separator into it
 * @throws StorageError `invalid-option`
 */
export function prefixed(prefix: string, options?: PrefixedOptions): AnyLayer {
  checkPrefix(prefix);
  if (options !== undefined) checkOptions({}, options, "prefixed");
  return anyLayer((inner) => new PrefixedStorage(inner, prefix, options));
}

/** What `prefixed()` makes. */
export class PrefixedStorage<V> extends RekeyedStorage<V> {
  readonly name = "prefixed";
  readonly #prefix: string;

  constructor(inner: Storage<V>, prefix: string, { clock }: PrefixedOptions = {}) {
    checkPrefix(prefix);
    super(inner, clock);
    this.#prefix = prefix;
  }

  /** As below, but the longest keys have no room beside the prefix. */
  override get capabilities(): Capabilities {
    return { ...this.below.capabilities, anyKey: false };
  }

  protected override toInner(key: string, operation: OperationName): string {
    checkKey(key, operation, this.name);
    return this.#prefix + key;
  }

  protected override fromInner(key: string): string | undefined {
    return key.length > this.#prefix.length && key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : undefined;
  }

  protected override prefixToInner(prefix: string): string {
    return this.#prefix + prefix;
  }

  override details(): Details {
    return { options: { prefix: this.#prefix }, stats: {} };
  }
}

function checkPrefix(prefix: string): void {
  if (isKey(prefix) && byteLength(prefix) <= maxKeySize - sureKeySize) return;
  throw new StorageError(
    "invalid-option",
    `A prefix must be non-empty, well-formed text of at most ${maxKeySize - sureKeySize} bytes without NUL.`,
    {
      storage: "prefixed",
    },
  );
}
