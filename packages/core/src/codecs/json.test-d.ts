import { expectTypeOf, test } from "vitest";
import type { Codec, StandardSchema } from "@stowage/core";
import { json, text } from "@stowage/core";

interface User {
  readonly name: string;
}

declare const users: StandardSchema<User>;
declare const withDefaults: StandardSchema<{ readonly name?: string }, User>;
declare const toNumber: StandardSchema<string, number>;
declare const coerced: StandardSchema<unknown, Date>;

test("the type of the values is said or taken from the schema", () => {
  expectTypeOf(json<User>()).toEqualTypeOf<Codec<User>>();
  expectTypeOf(json<User>(undefined, {})).toEqualTypeOf<Codec<User>>();
  expectTypeOf(json(users)).toEqualTypeOf<Codec<User>>();
  expectTypeOf(json(withDefaults)).toEqualTypeOf<Codec<User>>();
  expectTypeOf(json(coerced, {})).toEqualTypeOf<Codec<Date>>();
  expectTypeOf(json<User>(users)).toEqualTypeOf<Codec<User>>();
  expectTypeOf(json()).toEqualTypeOf<Codec<unknown>>();
  expectTypeOf(text()).toEqualTypeOf<Codec<string>>();
});

test("a schema that does not take back what it gives does not compile", () => {
  // @ts-expect-error a number cannot be written where text is checked
  json(toNumber);
});

test("a schema of another type than said does not compile", () => {
  // @ts-expect-error it gives users
  json<string>(users);
  // @ts-expect-error it is none
  json<User>({});
});
