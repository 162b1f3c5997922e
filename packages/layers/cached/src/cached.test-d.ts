import type { Bytes, ByteStorage, Storage } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expectTypeOf, test } from "vitest";
import { cached, localBus } from "./index.ts";

interface User {
  readonly name: string;
}

declare const users: Storage<User>;

test("it gives what it stands on, bytes or values, with and without a store", () => {
  expectTypeOf(stack(memoryStorage(), cached({ ttl: 1_000, bus: localBus() }))).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(users, cached())).toEqualTypeOf<Storage<User>>();
  expectTypeOf(stack(memoryStorage(), json<User>(), cached())).toEqualTypeOf<Storage<User>>();
  expectTypeOf(stack(memoryStorage(), cached({ store: memoryStorage() }))).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(users, cached({ store: users }))).toEqualTypeOf<Storage<User>>();
  expectTypeOf(stack(memoryStorage(), json<User>(), cached({ store: users }))).toEqualTypeOf<Storage<User>>();
});

test("a store holds the same values", () => {
  // @ts-expect-error a store of bytes makes it a layer of bytes, which belongs below the codec
  stack(users, cached({ store: memoryStorage() }));
  // @ts-expect-error another kind of value
  stack(users, cached({ store: memoryStorage<number>({ values: "any" }) }));
});

test("sizeOf gets the values", () => {
  stack(users, cached<User>({ maxSize: 1_000, sizeOf: ({ name }) => name.length }));
  cached({
    store: users,
    sizeOf: (value) => {
      expectTypeOf(value).toEqualTypeOf<User>();
      return 1;
    },
  });
  cached({
    store: memoryStorage(),
    sizeOf: (value) => {
      expectTypeOf(value).toEqualTypeOf<Bytes>();
      return value.byteLength;
    },
  });
});
