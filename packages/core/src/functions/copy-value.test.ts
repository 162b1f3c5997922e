import * as fc from "fast-check";
import { expect, test } from "vitest";
import { copyValue } from "./copy-value.ts";

const plainData = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withTypedArray: true,
});

test("a copy equals its value", () => {
  fc.assert(
    fc.property(plainData, (value) => {
      expect(copyValue(value)).toEqual(value);
    }),
  );
});

test("a copy shares no object with its value", () => {
  fc.assert(
    fc.property(plainData, (value) => {
      const originals = objectsIn(value);
      for (const object of objectsIn(copyValue(value))) expect(originals.has(object)).toBe(false);
    }),
  );
});

test("bytes come out as a plain Uint8Array that owns its memory", () => {
  const { bytes } = copyValue<{ bytes: Uint8Array }>({ bytes: Buffer.from("pooled") });
  expect(bytes.constructor).toBe(Uint8Array);
  expect(bytes.buffer.byteLength).toBe(6);
  expect(Buffer.from(bytes).toString()).toBe("pooled");
});

test("an own property called __proto__ is copied as a property", () => {
  const value: object = JSON.parse('{"__proto__": {"admin": true}, "name": "ada"}');
  const copy = copyValue(value);
  expect(Object.keys(copy)).toEqual(["__proto__", "name"]);
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  expect("admin" in copy).toBe(false);
  expect(Object.getOwnPropertyDescriptor(copy, "__proto__")?.value).not.toBe(Object.getOwnPropertyDescriptor(value, "__proto__")?.value);
});

test("a value with circles is copied with its circles", () => {
  const ada: Record<string, unknown> = { name: "ada", map: new Map(), set: new Set() };
  ada["self"] = ada;
  ada["list"] = [ada];
  (ada["map"] as Map<string, unknown>).set("self", ada);
  (ada["set"] as Set<unknown>).add(ada);
  const copy = copyValue(ada);
  expect(copy).not.toBe(ada);
  expect(copy["self"]).toBe(copy);
  expect((copy["list"] as unknown[])[0]).toBe(copy);
  expect((copy["map"] as Map<string, unknown>).get("self")).toBe(copy);
  expect((copy["set"] as Set<unknown>).has(copy)).toBe(true);
});

test("a deep value without circles is copied, and one too deep for the stack is refused", () => {
  expect(depthOf(copyValue(nested(1_000)))).toBe(1_000);
  expect(() => copyValue(nested(1_000_000))).toThrow(expect.objectContaining({ code: "invalid-value" }));
});

test("functions, symbols and instances of classes are refused wherever they are", () => {
  class User {
    name = "ada";
  }
  for (const value of [() => 1, Symbol("x"), new User(), new WeakMap(), Promise.resolve()]) {
    for (const holder of [value, [value], { value }, new Map([[1, value]]), new Set([value]), { a: [{ value }] }]) {
      expect(() => copyValue(holder)).toThrow(expect.objectContaining({ code: "invalid-value" }));
    }
  }
});

test("a refusal names the kind of thing and not its content", () => {
  class Session {
    readonly token = "secret";
  }
  expect(() => copyValue({ session: new Session() })).toThrow("the value is or holds an instance of Session.");
});

test("properties named by symbols are left out", () => {
  expect(Object.getOwnPropertySymbols(copyValue({ [Symbol("hidden")]: {}, name: "ada" }))).toEqual([]);
});

test("primitives are their own copies", () => {
  for (const value of [null, undefined, 0, -0, Number.NaN, "", "text", true, 10n]) expect(copyValue(value)).toBe(value);
});

function objectsIn(value: unknown, found: Set<unknown> = new Set()): Set<unknown> {
  if (typeof value !== "object" || value === null || found.has(value)) return found;
  found.add(value);
  if (ArrayBuffer.isView(value)) return found.add(value.buffer);
  if (value instanceof Map || value instanceof Set) for (const member of value) objectsIn(member, found);
  for (const member of Object.values(value)) objectsIn(member, found);
  return found;
}

function nested(depth: number): unknown {
  let value: unknown = "leaf";
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = value; Array.isArray(level); level = level[0]) depth++;
  return depth;
}
