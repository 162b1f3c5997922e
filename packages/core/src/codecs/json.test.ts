import { makeHeader } from "@stowage/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, textOf } from "../../test/map-storage.ts";
import { json } from "./json.ts";
import type { SchemaResult, StandardSchema } from "./standard-schema.ts";

interface User {
  readonly name: string;
  readonly age: number;
}

const below = (): MapByteStorage => new MapByteStorage();

test("a value comes back as it was put, in bytes that are plain JSON", async () => {
  const bytes = below();
  const users = json<User>()(bytes);
  await users.put("ada", { name: "Ada Løvelace", age: 36 });
  expect(textOf(await bytes.get("ada"))).toBe('{"name":"Ada Løvelace","age":36}');
  expect(await users.get("ada")).toEqual({ name: "Ada Løvelace", age: 36 });
  expect(await users.getEntry("ada")).toMatchObject({ key: "ada", value: { name: "Ada Løvelace", age: 36 }, etag: "1" });
  expect(await users.getEntries(["bob", "ada"])).toEqual([undefined, expect.objectContaining({ key: "ada" })]);
  expect(await users.get("bob")).toBeUndefined();
});

test("every value that JSON knows survives", async () => {
  const values = json()(below());
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      await values.put("key", value);
      expect(await values.get("key")).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("what JSON cannot hold is refused with its place and never changed in silence", async () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const cases: [value: unknown, problem: string][] = [
    [undefined, "it is undefined"],
    [() => 1, "it is a function"],
    [Symbol("x"), "it is a symbol"],
    [Number.NaN, "it is NaN"],
    [{ scores: [1, Number.POSITIVE_INFINITY] }, "at scores[1] is Infinity"],
    [[1, undefined], "at [1] is undefined"],
    [[() => 1], "at [0] is a function"],
    [10n, "it is a bigint"],
    [{ a: { b: 10n } }, "at a.b is a bigint"],
    [circle, "at self is an object that contains itself"],
    [new Map([[1, 2]]), "it is a Map"],
    [{ tags: new Set(["a"]) }, "at tags is a Set"],
    [{ bytes: Uint8Array.of(1, 2) }, "at bytes is a Uint8Array"],
    [{ bytes: Buffer.from("ab") }, "at bytes is a Buffer"],
    [new Error("x"), "it is a Error"],
    [{ when: new Date(Number.NaN) }, "at when is an invalid date"],
    [nested(100_000), "it is nested too deeply"],
    [{ toJSON: () => undefined }, "it has no JSON form"],
  ];
  const values = json()(below());
  for (const [value, problem] of cases) {
    await expect(values.put("key", value)).rejects.toMatchObject({
      code: "invalid-value",
      message: `JSON cannot hold this value: ${problem}.`,
      operation: "put",
      storage: "json",
      key: "key",
    });
  }
  expect(await values.has("key")).toBe(false);
});

test("null, empty objects and objects that look like bytes are held", async () => {
  const values = json()(below());
  for (const value of [
    null,
    {},
    [],
    [null],
    { a: null, b: {} },
    { "0": 1 },
    { type: "Buffer", data: [1] },
    "null",
    Object.create(null) as unknown,
  ]) {
    await values.put("key", value);
    expect(await values.get("key")).toEqual(value);
  }
});

test("properties that are undefined or functions are left out, and a date becomes text", async () => {
  const values = json()(below());
  await values.put("key", { name: "ada", nick: undefined, greet: () => 1, tags: null, born: new Date(0) });
  expect(await values.get("key")).toEqual({ name: "ada", tags: null, born: "1970-01-01T00:00:00.000Z" });
});

test("an own property called __proto__ stays a property", async () => {
  const values = json<object>()(below());
  await values.put("key", JSON.parse('{"__proto__":{"admin":true}}') as object);
  const value = await values.get("key");
  expect(Object.keys(value ?? {})).toEqual(["__proto__"]);
  expect("admin" in (value ?? {})).toBe(false);
});

test("bytes that are not JSON in UTF-8 are corrupt, and the error does not quote them", async () => {
  const bytes = below();
  const values = json()(bytes);
  for (const stored of [bytesOf("secret"), bytesOf(""), bytesOf('{"a":1'), Uint8Array.of(0x22, 0xff, 0x22)]) {
    await bytes.put("key", stored);
    const failure = await values.get("key").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "corrupt", operation: "get", storage: "json", key: "key" });
    expect(failure).not.toHaveProperty("cause");
    expect(String(failure)).not.toContain("secret");
  }
  await expect(values.getEntry("key")).rejects.toMatchObject({ code: "corrupt", operation: "getEntry" });
  await expect(values.getEntries(["key"])).rejects.toMatchObject({ code: "corrupt", operation: "getEntries" });
});

test("a value that another layer wrote names the layer that is missing below", async () => {
  const bytes = below();
  await bytes.put("key", Uint8Array.of(...makeHeader("compressed", 1), 1, 2, 3));
  await expect(json()(bytes).get("key")).rejects.toThrow('through the layer "compressed", which is missing below "json"');
});

test("a byte order mark that another tool wrote does no harm", async () => {
  const bytes = below();
  await bytes.put("key", bytesOf('\uFEFF{"a":1}'));
  expect(await json()(bytes).get("key")).toEqual({ a: 1 });
});

test("a schema checks values when they are written and when they are read", async () => {
  const bytes = below();
  const users = json(userSchema)(bytes);
  await expect(users.put("ada", { name: "Ada", age: -1 })).rejects.toMatchObject({
    code: "invalid-value",
    message: "The value, as JSON keeps it, does not fit the schema: age: must not be negative.",
  });
  await bytes.put("ada", bytesOf('{"name":"Ada","age":-1}'));
  await expect(users.get("ada")).rejects.toMatchObject({
    code: "corrupt",
    message: "The value that is stored does not fit the schema: age: must not be negative.",
  });
});

test("a read gives what the schema makes of the value", async () => {
  const bytes = below();
  await bytes.put("ada", bytesOf('{"name":"Ada","age":36,"extra":1}'));
  expect(await json(userSchema)(bytes).get("ada")).toEqual({ name: "Ada", age: 36 });
});

test("a schema that answers later works the same", async () => {
  const users = json(later(userSchema))(below());
  await users.put("ada", { name: "Ada", age: 36 });
  expect(await users.get("ada")).toEqual({ name: "Ada", age: 36 });
  await expect(users.put("ada", { name: "Ada", age: -1 })).rejects.toMatchObject({ code: "invalid-value" });
  await users.batch([{ type: "put", key: "bob", value: { name: "Bob", age: 1 } }]);
  expect(await users.getEntries(["bob"])).toMatchObject([{ value: { name: "Bob", age: 1 } }]);
});

test("a value that could be written and not read is refused when it is written", async () => {
  const dates = json(schemaOf<Date>((value) => (value instanceof Date ? { value } : { issues: [{ message: "not a date" }] })))(below());
  await expect(dates.put("now", new Date(0))).rejects.toMatchObject({ code: "invalid-value" });
});

test("a schema that throws or rejects is an internal error with its cause", async () => {
  const bug = new Error("bug");
  const throwing = schemaOf<User>(() => {
    throw bug;
  });
  for (const schema of [throwing, later(throwing)]) {
    await expect(json(schema)(below()).put("ada", { name: "Ada", age: 1 })).rejects.toMatchObject({ code: "internal", cause: bug });
  }
});

test("an abort ends the wait for a schema that hangs", async () => {
  const abort = new AbortController();
  const hanging = json(schemaOf<User>(() => new Promise(() => {})))(below());
  const put = hanging.put("ada", { name: "Ada", age: 1 }, { signal: abort.signal });
  const batch = hanging.batch([{ type: "put", key: "ada", value: { name: "Ada", age: 1 } }], { signal: abort.signal });
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(put).rejects.toBe(reason);
  await expect(batch).rejects.toBe(reason);
});

test("more than three issues are counted", async () => {
  const issues = ["a", "b", "c", "d", "e"].map((message) => ({ message }));
  await expect(json(schemaOf<number>(() => ({ issues })))(below()).put("key", 1)).rejects.toThrow("a; b; c; and 2 more.");
});

test("what is not a schema is refused when the codec is made", () => {
  expect(() => json({} as StandardSchema)(below())).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test("a value of a batch that JSON cannot hold fails alone", async () => {
  const values = json<unknown>()(below());
  const batch = values.batch([
    { type: "put", key: "good", value: 1 },
    { type: "put", key: "bad", value: Number.NaN },
    { type: "put", key: "fine", value: 2 },
  ]);
  await expect(batch).rejects.toMatchObject({ code: "partial", failures: [{ index: 1, key: "bad", error: { code: "invalid-value" } }] });
  expect([await values.get("good"), await values.get("fine")]).toEqual([1, 2]);
});

test("details name the library of the schema", () => {
  expect(json(userSchema)(below()).details().options).toEqual({ schema: "test" });
  expect(json()(below()).details().options).toEqual({});
});

function schemaOf<T>(validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>): StandardSchema<T> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const userSchema = schemaOf<User>((value) => {
  const { name, age } = value as User;
  return age < 0 ? { issues: [{ message: "must not be negative", path: [{ key: "age" }] }] } : { value: { name, age } };
});

function later<T>(schema: StandardSchema<T>): StandardSchema<T> {
  return schemaOf(async (value) => await schema["~standard"].validate(value));
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}
