import type { AnyStorage, ByteStorage } from "./contract/contract.ts";
import { kindOf } from "./contract/kind-of.ts";
import { StorageError } from "./contract/storage-error.ts";
import type { AnyLayer, Contract } from "./shapes/layer.ts";

/** Any layer at all. */
type LayerFunction = (inner: never) => AnyStorage;

/** What is not known yet: the compiler looks at calls like `json()` last, and at the layers above them before. */
type Later<L> = unknown extends L ? true : false;

/** What stands on `S` once the layer `L` is put on it. */
type After<S extends AnyStorage, L> =
  Later<L> extends true
    ? AnyStorage & ByteStorage
    : L extends AnyLayer
      ? Contract<S>
      : L extends ((inner: never) => infer Out extends AnyStorage)
        ? Out
        : never;

/** The layer itself where it fits on `S`, else a sentence that says why not. */
type Fit<S extends AnyStorage, L> =
  Later<L> extends true
    ? LayerFunction
    : L extends AnyLayer
      ? L
      : L extends (inner: infer In) => AnyStorage
        ? S extends In
          ? L
          : In extends ByteStorage
            ? "this layer works on bytes: put it below the codec"
            : "this layer does not fit on what is below it"
        : L extends (...rest: never) => LayerFunction
          ? "this makes a layer: call it"
          : "this is not a layer";

/** What is below the layer at an index of `L`. `Passed` counts the layers that were passed on the way up. */
type Below<S extends AnyStorage, L extends readonly unknown[], Index, Passed extends unknown[] = []> = `${Passed["length"]}` extends Index
  ? S
  : L extends readonly [infer First, ...infer Rest]
    ? Below<After<S, First>, Rest, Index, [...Passed, First]>
    : S;

type Fitted<S extends AnyStorage, L extends readonly unknown[]> = {
  [Index in keyof L]: number extends L["length"]
    ? L[Index] extends (inner: S) => S
      ? L[Index]
      : "the order in an array is not known to the compiler: put such layers on one by one"
    : Fit<Below<S, L, Index>, L[Index]>;
};

type Top<S extends AnyStorage, L extends readonly unknown[]> = L extends readonly [infer First, ...infer Rest]
  ? Top<After<S, First>, Rest>
  : S;

/**
 * A backend with layers on it, listed from the backend up. A layer that cannot stand where it is put does not compile,
 * and the message says why; where nobody compiles, it is refused when the stack is made.
 *
 * ```ts
 * const users = stack(memoryStorage(), retry(), compressed(), json<User>());
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function stack<S extends AnyStorage, const L extends readonly unknown[]>(backend: S, ...layers: Fitted<S, L>): Top<S, L>;
export function stack(backend: AnyStorage, ...layers: readonly LayerFunction[]): AnyStorage {
  if (!isStorage(backend)) throw refused(`stack begins with a storage, got ${kindOf(backend)}.`);
  return layers.reduce((inner, layer, index) => {
    const place = `Layer ${index + 1} of the stack`;
    if (typeof layer !== "function") throw refused(`${place} is not a layer but ${kindOf(layer)}.`);
    const storage: unknown = layer(inner as never);
    if (isStorage(storage)) return storage;
    throw refused(typeof storage === "function" ? `${place} makes a layer: call it.` : `${place} gives no storage but ${kindOf(storage)}.`);
  }, backend);
}

function isStorage(value: unknown): value is AnyStorage {
  return typeof value === "object" && value !== null && "getEntry" in value && typeof value.getEntry === "function";
}

function refused(message: string): StorageError {
  return new StorageError("invalid-option", message);
}
