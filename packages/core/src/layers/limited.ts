import { clearByList } from "../backend/clear-by-list.ts";
import type { Lifecycle } from "../backend/lifecycle.ts";
import { layerLifecycle } from "../backend/lifecycle.ts";
import { checkSource } from "../contract/sources.ts";
import type { Clock } from "../contract/clock.ts";
import { systemClock } from "../contract/clock.ts";
import type {
  ByteSource,
  CallOptions,
  Capabilities,
  ClearOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  BatchOptions,
  Page,
  PutOptions,
  Storage,
  WriteOptions,
} from "../contract/contract.ts";
import { Deadlines } from "../contract/deadlines.ts";
import { checkKey, checkKeys } from "../contract/keys.ts";
import { StorageError } from "../contract/storage-error.ts";
import type { Tap } from "../contract/tapped-source.ts";
import { tappedSource } from "../contract/tapped-source.ts";
import { isByteStorage } from "../functions/is-byte-storage.ts";
import { checkOptions } from "../plugin/check-options.ts";
import type { Call, Next } from "../shapes/around-storage.ts";
import { AroundStorage } from "../shapes/around-storage.ts";
import type { AnyLayer, ByteLayer } from "../shapes/layer.ts";
import { anyLayer } from "../shapes/layer.ts";
import { preparedBatch } from "../shapes/prepared-batch.ts";
import { writing } from "../shapes/rejecting.ts";
import type { KeyMatcher } from "./key-pattern.ts";
import { keyMatcher } from "./key-pattern.ts";
import { sendInTime } from "./timed-call.ts";

export interface LimitedOptions {
  /** Bytes of a value at the most, on a storage of bytes; a larger one is `too-large`. Reads are not limited. @default unlimited */
  readonly maxSize?: number | undefined;
  /**
   * Milliseconds that a call may take, at most 50 more; then it rejects with `timeout`, which for a write has the outcome
   * `"unknown"`. A `read` has ended when its stream is there, a `write` when it is stored. @default unlimited
   */
  readonly timeout?: number | undefined;
  /**
   * Patterns of the keys that there are: `*.json`, `images/**`. `*` is any text without a slash, `**` any text, `?` one
   * character; a pattern without a slash is about the last segment. A call with another key is `invalid-key`; `list` and
   * `clear` pass over such keys. @default every key
   */
  readonly keys?: readonly string[] | undefined;
  /** @default for `timeout` the clock of the machine, for `ttl` that of the storage below */
  readonly clock?: Clock | undefined;
}

/**
 * Limits the size of values, the time of each call, and the keys. What is over a limit is refused before any I/O; only a
 * stream without a declared size is cut off where it exceeds, and nothing is stored then.
 *
 * Place in the stack: `maxSize` counts the bytes where it stands, so above `compressed` it counts plain ones.
 *
 * ```ts
 * stack(files, limited({ maxSize: 10_000_000, timeout: 5_000, keys: ["*.png", "thumbnails/**"] }));
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function limited(options: LimitedOptions & { readonly maxSize: number }): ByteLayer;
export function limited(options: LimitedOptions): AnyLayer;
export function limited(options: LimitedOptions): ByteLayer | AnyLayer {
  checkLimits(options);
  return anyLayer((inner) => new LimitedStorage(inner, options));
}

/** What `limited()` makes. */
export class LimitedStorage<V> extends AroundStorage<V> {
  readonly name = "limited";
  readonly #maxSize: number | undefined;
  readonly #deadlines: Deadlines | undefined;
  readonly #matchers: readonly KeyMatcher[] | undefined;
  readonly #details: Details;
  /** Counts what goes on between calls below. */
  readonly #lifecycle: Lifecycle;

  constructor(inner: Storage<V>, options: LimitedOptions) {
    checkLimits(options);
    super(inner, options.clock);
    const { maxSize, timeout, keys } = options;
    if (maxSize !== undefined && !isByteStorage(inner)) throw invalidOption("maxSize needs a storage of bytes below");
    this.#maxSize = maxSize;
    this.#deadlines = timeout === undefined ? undefined : new Deadlines(timeout, options.clock ?? systemClock);
    this.#matchers = keys?.map(keyMatcher);
    const given = Object.entries({ maxSize, timeout, keys }).filter(([, value]) => value !== undefined);
    this.#details = { options: Object.fromEntries(given), stats: {} };
    this.#lifecycle = layerLifecycle(this, inner, options.clock ?? systemClock);
  }

  override get capabilities(): Capabilities {
    const { capabilities } = this.below;
    return this.#matchers === undefined ? capabilities : { ...capabilities, anyKey: false };
  }

  protected override around<T>(call: Call, next: Next<T>): Promise<T> {
    if (call.key !== undefined) this.#checkKey(call.key, call.operation);
    return this.#deadlines === undefined ? next() : sendInTime(call, next, this.#deadlines, this.name);
  }

  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    checkKeys(keys, "getEntries", this.name);
    for (const key of keys) this.#checkKey(key, "getEntries");
    return await super.getEntries(keys, options);
  }

  override async list(options?: ListOptions): Promise<Page> {
    const page = await super.list(options);
    return this.#matchers === undefined ? page : { ...page, entries: page.entries.filter(({ key }) => this.#isAllowed(key)) };
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return this.#isTooLarge(value) ? Promise.reject(this.#tooLarge(key, "put")) : super.put(key, value, options);
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    const check = (operation: Operation<V>): Operation<V> => {
      this.#checkKey(operation.key, "batch");
      if (operation.type === "put" && this.#isTooLarge(operation.value)) throw this.#tooLarge(operation.key, "batch");
      return operation;
    };
    return preparedBatch(this.name, operations, options, check, (allowed) => super.batch(allowed, options));
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#matchers === undefined ? super.clear(options) : this.#lifecycle.during("clear", () => clearByList(this, options));
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const maxSize = this.#maxSize;
    if (maxSize === undefined) return super.write(key, source, options);
    return writing(source, () => {
      checkSource(source, this.name, key);
      const size = source instanceof Blob ? source.size : options?.size;
      if (size !== undefined && size > maxSize) throw this.#tooLarge(key, "write");
      const counting = (): Tap => {
        let rest = maxSize;
        return (chunk) => {
          rest -= chunk.byteLength;
          if (rest < 0) throw this.#tooLarge(key, "write");
        };
      };
      return super.write(key, tappedSource(source, counting), options);
    });
  }

  override details(): Details {
    return this.#details;
  }

  #isAllowed(key: string): boolean {
    return this.#matchers === undefined || this.#matchers.some((matches) => matches(key));
  }

  #checkKey(key: string, operation: string): void {
    if (this.#matchers === undefined) return;
    checkKey(key, operation, this.name);
    if (this.#isAllowed(key)) return;
    throw new StorageError("invalid-key", "The key is of none of the forms that are allowed here.", { operation, key, storage: this.name });
  }

  #isTooLarge(value: V): boolean {
    return this.#maxSize !== undefined && value instanceof Uint8Array && value.byteLength > this.#maxSize;
  }

  #tooLarge(key: string, operation: string): StorageError {
    return new StorageError("too-large", `A value may have ${this.#maxSize} bytes here, and this one has more; nothing was stored.`, {
      operation,
      key,
      storage: this.name,
    });
  }
}

function checkLimits(options: LimitedOptions): void {
  checkOptions({}, options, "limited", ["maxSize", "timeout", "keys"]);
  const { maxSize, timeout, keys } = options;
  if (maxSize !== undefined && !(Number.isInteger(maxSize) && maxSize >= 0)) throw invalidOption("maxSize must be a whole number of bytes");
  if (timeout !== undefined && !(Number.isFinite(timeout) && timeout > 0))
    throw invalidOption("timeout must be a positive number of milliseconds");
  if (keys !== undefined && !(Array.isArray(keys) && keys.length > 0)) throw invalidOption("keys must be one pattern or more");
  keys?.forEach(keyMatcher);
}

function invalidOption(problem: string): StorageError {
  return new StorageError("invalid-option", `${problem}.`, { storage: "limited" });
}
