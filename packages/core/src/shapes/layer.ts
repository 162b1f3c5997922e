import type { AnyStorage, ByteStorage, Storage } from "../contract/contract.ts";

/** A step of a stack: what stands on `In` and gives `Out`. */
export type Layer<In extends AnyStorage, Out extends AnyStorage> = (inner: In) => Out;

/** Bytes to bytes: compressed, encrypted. */
export type ByteLayer = Layer<ByteStorage, ByteStorage>;

/** The one step from bytes to values. */
export type Codec<V> = Layer<ByteStorage, Storage<V>>;

/** The contract that a storage keeps, without what its class has beyond it. */
export type Contract<S> = S extends ByteStorage ? ByteStorage : S extends Storage<infer V> ? Storage<V> : never;

/** A layer for whatever values are below: cached, retry, metrics. */
export type AnyLayer = <S extends AnyStorage>(inner: S) => Contract<S>;

/** Turns the making of a `ForwardingStorage`, which keeps the value type of what it stands on, into an `AnyLayer`. */
export function anyLayer(make: (inner: AnyStorage) => AnyStorage): AnyLayer {
  return <S extends AnyStorage>(inner: S): Contract<S> => make(inner) as unknown as Contract<S>;
}
