import { expectTypeOf, test } from "vitest";
import type { AnyLayer, AnyStorage, ByteLayer, ByteStorage, Codec, Contract, Layer, Storage } from "@stowage/core";
import { borrowed, json, limited, prefixed, readOnly, stack, text } from "@stowage/core";

interface User {
  readonly name: string;
}

declare const files: ByteStorage;
declare const compressed: () => ByteLayer;
declare const cached: () => AnyLayer;
declare const unknowns: Layer<Storage<unknown>, Storage<unknown>>;
declare const shouting: Layer<Storage<string>, Storage<string>>;

/** What stack asks for in the place of its layer number `Index`. */
type Asked<S extends AnyStorage, L extends readonly unknown[], Index extends number> = Parameters<typeof stack<S, L>>[Index];

test("a codec turns bytes into values, and layers above it keep the type", () => {
  expectTypeOf(stack(files)).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(files, compressed(), cached())).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(files, json<User>())).toEqualTypeOf<Storage<User>>();
  expectTypeOf(stack(files, compressed(), json<User>(), cached(), borrowed(), readOnly())).toEqualTypeOf<Storage<User>>();
  expectTypeOf(stack(files, prefixed("a/"), text(), shouting, limited({ timeout: 1 }))).toEqualTypeOf<Storage<string>>();
  expectTypeOf(stack(files, json())).toEqualTypeOf<Storage<unknown>>();
  expectTypeOf(stack(files, compressed(), json(), unknowns, cached())).toEqualTypeOf<Storage<unknown>>();
});

test("stacks of any height are understood", () => {
  const high = stack(
    files,
    cached(),
    cached(),
    compressed(),
    cached(),
    cached(),
    json<User>(),
    cached(),
    cached(),
    cached(),
    cached(),
    cached(),
  );
  expectTypeOf(high).toEqualTypeOf<Storage<User>>();
});

test("a stack can be put on a stack", () => {
  expectTypeOf(stack(stack(files, compressed()), stack(files, cached()) === files ? json<User>() : json<User>())).toEqualTypeOf<
    Storage<User>
  >();
});

test("a layer of bytes above the codec does not compile, and the compiler says where it belongs", () => {
  // @ts-expect-error the sentence below
  stack(files, json<User>(), compressed());
  // @ts-expect-error also where the values are not said
  stack(files, json(), compressed());
  // @ts-expect-error also for a second codec
  stack(files, json<User>(), cached(), json<User>());
  // @ts-expect-error also for a limit of bytes
  stack(files, json<User>(), limited({ maxSize: 5 }));
  expectTypeOf<Asked<ByteStorage, [Codec<User>, ByteLayer], 2>>().toEqualTypeOf<"this layer works on bytes: put it below the codec">();
});

test("only the layer that is wrong is blamed", () => {
  type Bad = [AnyLayer, Codec<User>, AnyLayer, ByteLayer, AnyLayer];
  expectTypeOf<Asked<ByteStorage, Bad, 1>>().toEqualTypeOf<AnyLayer>();
  expectTypeOf<Asked<ByteStorage, Bad, 2>>().toEqualTypeOf<Codec<User>>();
  expectTypeOf<Asked<ByteStorage, Bad, 3>>().toEqualTypeOf<AnyLayer>();
  expectTypeOf<Asked<ByteStorage, Bad, 4>>().toEqualTypeOf<"this layer works on bytes: put it below the codec">();
});

test("a layer for other values does not compile", () => {
  // @ts-expect-error it works on strings
  stack(files, json<User>(), shouting);
  type Wanted = Asked<ByteStorage, [Codec<User>, typeof shouting], 2>;
  expectTypeOf<Wanted>().toEqualTypeOf<"this layer does not fit on what is below it">();
});

test("a layer that was not called, and what is none, do not compile", () => {
  // @ts-expect-error it makes a layer
  stack(files, cached);
  // @ts-expect-error it makes a codec
  stack(files, json);
  // @ts-expect-error nobody knows what it is
  stack(files, files as unknown);
  // @ts-expect-error it is a storage
  stack(files, files);
  expectTypeOf<Asked<ByteStorage, [typeof cached], 1>>().toEqualTypeOf<"this makes a layer: call it">();
  expectTypeOf<Asked<ByteStorage, [5], 1>>().toEqualTypeOf<"this is not a layer">();
});

test("an array of layers compiles only where their order cannot matter to the types", () => {
  expectTypeOf(stack(files, ...([] as AnyLayer[]))).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(files, ...([] as (AnyLayer | ByteLayer)[]))).toEqualTypeOf<ByteStorage>();
  // @ts-expect-error a second codec may be among them
  stack(files, ...([] as Codec<User>[]));
});

test("stacks can be made where the types are not known yet", () => {
  const valuesOf = <V>(storage: ByteStorage): Storage<V> => stack(storage, compressed(), json<V>(), cached());
  const sharedOf = <S extends AnyStorage>(storage: S): Contract<S> => stack(storage, borrowed());
  expectTypeOf(valuesOf<User>(files)).toEqualTypeOf<Storage<User>>();
  expectTypeOf(sharedOf(files)).toEqualTypeOf<ByteStorage>();
  expectTypeOf(sharedOf(valuesOf<User>(files))).toEqualTypeOf<Storage<User>>();
});
