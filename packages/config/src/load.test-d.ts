import type { ByteStorage, StandardSchema, Storage } from "@stowage/core";
import { expectTypeOf, test } from "vitest";
import { loadStorages } from "./index.ts";

interface User {
  readonly name: string;
}

declare const schema: StandardSchema<unknown, User>;
const storages = await loadStorages("storage.yaml");

test("a storage of values has the type that the caller names, or that of the schema", () => {
  expectTypeOf(storages.get<User>("users")).toEqualTypeOf<Storage<User>>();
  expectTypeOf(storages.get("users", schema)).toEqualTypeOf<Storage<User>>();
  expectTypeOf(storages.get("users")).toEqualTypeOf<Storage<unknown>>();
  // @ts-expect-error the schema gives users
  storages.get<string>("users", schema);
});

test("a storage of bytes is one", () => {
  expectTypeOf(storages.bytes("files")).toEqualTypeOf<ByteStorage>();
});
