import type { AnyStorage, ByteStorage } from "./contract/contract.ts";
import type { AnyLayer, Contract } from "./shapes/layer.ts";

/** Any layer at all, as far as `stack` is concerned. */
type LayerFunction = (inner: never) => AnyStorage;

/** What stands on `S` once the layer `L` is put on it. */
type After<S extends AnyStorage, L> = L extends AnyLayer
  ? Contract<S>
  : L extends ((inner: never) => infer Out extends AnyStorage)
    ? Out
    : never;

/** The layer itself where it fits on `S`, else a sentence that says why not. */
type Fit<S extends AnyStorage, L> = L extends AnyLayer
  ? L
  : L extends (inner: infer In) => AnyStorage
    ? S extends In
      ? L
      : In extends ByteStorage
        ? "this layer works on bytes: put it below the codec"
        : "this layer does not fit on what is below it"
    : L;

type Fitted<S extends AnyStorage, L extends readonly LayerFunction[]> = L extends readonly [
  infer First,
  ...infer Rest extends readonly LayerFunction[],
]
  ? [Fit<S, First>, ...Fitted<After<S, First>, Rest>]
  : [];

type Top<S extends AnyStorage, L extends readonly LayerFunction[]> = L extends readonly [
  infer First,
  ...infer Rest extends readonly LayerFunction[],
]
  ? Top<After<S, First>, Rest>
  : S;

/**
 * A backend with layers on it, listed from the backend up. A layer that cannot stand where it is put does not compile,
 * and the message says why. Code that has an array of layers reduces by hand.
 *
 * ```ts
 * const users = stack(memoryStorage(), retry(), compressed(), json<User>());
 * ```
 */
export function stack<S extends AnyStorage, const L extends readonly LayerFunction[]>(backend: S, ...layers: L & Fitted<S, L>): Top<S, L>;
export function stack(backend: AnyStorage, ...layers: readonly LayerFunction[]): AnyStorage {
  return layers.reduce((inner, layer) => layer(inner as never), backend);
}
