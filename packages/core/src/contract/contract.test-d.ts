import { expectTypeOf, test } from "vitest";
import type { AnyLayer, AnyStorage, Bytes, ByteStorage, Contract, Entry, PutOptions, Storage } from "@stowage/core";
import { copy, copyValue, findLayer, getOrThrow, isByteStorage, JsonStorage, removed, update } from "@stowage/core";

interface Animal {
  readonly name: string;
}
interface Dog extends Animal {
  readonly breed: string;
}

declare const any: AnyStorage;
declare const bytes: ByteStorage;
declare const animals: Storage<Animal>;
declare const dogs: Storage<Dog>;
declare const layer: AnyLayer;

test("a storage of dogs is neither a storage of animals nor the other way round", () => {
  expectTypeOf(dogs).not.toExtend<Storage<Animal>>();
  expectTypeOf(animals).not.toExtend<Storage<Dog>>();
  expectTypeOf<Entry<Dog>>().toExtend<Entry<Animal>>();
});

test("every storage is any storage", () => {
  expectTypeOf(dogs).toExtend<AnyStorage>();
  expectTypeOf(bytes).toExtend<AnyStorage>();
  expectTypeOf(bytes).toExtend<Storage<Bytes>>();
});

test("a storage of bytes takes every Uint8Array and gives plain ones", () => {
  expectTypeOf(bytes.put).parameter(1).toEqualTypeOf<Uint8Array>();
  expectTypeOf(bytes.get).returns.toEqualTypeOf<Promise<Bytes | undefined>>();
  expectTypeOf<Uint8Array<SharedArrayBuffer>>().not.toExtend<Bytes>();
});

test("a layer for any values keeps the contract of what it stands on", () => {
  expectTypeOf(layer(bytes)).toEqualTypeOf<ByteStorage>();
  expectTypeOf(layer(dogs)).toEqualTypeOf<Storage<Dog>>();
  expectTypeOf<Contract<JsonStorage<Dog>>>().toEqualTypeOf<Storage<Dog>>();
});

test("isByteStorage tells that a storage has read and write", () => {
  if (isByteStorage(any)) expectTypeOf(any).toExtend<ByteStorage>();
  // @ts-expect-error only bytes are streams
  void animals.read;
});

test("the functions on top know the values", () => {
  expectTypeOf(getOrThrow(dogs, "rex")).toEqualTypeOf<Promise<Dog>>();
  expectTypeOf(copyValue({ name: "rex" })).toEqualTypeOf<{ name: string }>();
  expectTypeOf(findLayer(any, JsonStorage)).toEqualTypeOf<JsonStorage<unknown> | undefined>();
  void update(dogs, "rex", (dog) => dog && { ...dog, breed: "terrier" });
  void update(dogs, "rex", () => removed);
  // @ts-expect-error an animal is no dog
  void update(dogs, "rex", () => ({ name: "rex" }));
  // @ts-expect-error they hold different things
  void copy(animals, dogs);
});

test("an option that is undefined is as good as none, and cannot be written", () => {
  expectTypeOf<{ readonly ttl: undefined }>().toExtend<PutOptions>();
  const options: PutOptions = {};
  // @ts-expect-error options are read only
  options.ttl = 5;
});
