import { expect, test } from "vitest";
import { headerOf, makeHeader, missingLayer } from "./format.ts";

test("a header tells the layer, the version and its own size", () => {
  const header = makeHeader("compressed", 1);
  expect(headerOf(Uint8Array.of(...header, 7, 8))).toEqual({ layer: "compressed", version: 1, size: header.byteLength });
});

test("a header is the magic, the length of the name, the name and the version", () => {
  expect(Buffer.from(makeHeader("ab", 3)).toString("hex")).toBe("8953545702616203");
});

test("bytes without the magic have no header", () => {
  expect(headerOf(new Uint8Array())).toBeUndefined();
  expect(headerOf(new TextEncoder().encode("STW\u0004name\u0001"))).toBeUndefined();
});

test("a header that is cut short or has no proper name is none", () => {
  const header = makeHeader("compressed", 1);
  for (let length = 0; length < header.length; length++) expect(headerOf(header.subarray(0, length))).toBeUndefined();
  expect(headerOf(Uint8Array.of(0x89, 0x53, 0x54, 0x57, 0, 1, 1))).toBeUndefined();
  expect(headerOf(Uint8Array.of(0x89, 0x53, 0x54, 0x57, 2, 0x41, 0x20, 1))).toBeUndefined();
});

test("no UTF-8 text starts like a header", () => {
  expect(() => new TextDecoder("utf-8", { fatal: true }).decode(makeHeader("compressed", 1))).toThrow(TypeError);
});

test("a name or a version that does not fit into a header is refused", () => {
  expect(() => makeHeader("", 1)).toThrow("lower-case");
  expect(() => makeHeader("Größe", 1)).toThrow("lower-case");
  expect(() => makeHeader("compressed", 256)).toThrow("one byte");
});

test("the error of an unexpected header names the layer that is missing", () => {
  const error = missingLayer({ layer: "compressed", version: 1, size: 16 }, { storage: "json", key: "secret", operation: "get" });
  expect(error).toMatchObject({ code: "corrupt", storage: "json", key: "secret", operation: "get", retryable: false });
  expect(error.message).toContain('"compressed"');
  expect(error.message).not.toContain("secret");
});
