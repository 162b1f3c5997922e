import { makeHeader } from "@stowage/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, textOf } from "../../test/map-storage.ts";
import { text } from "./text.ts";

test("every well-formed text survives exactly", async () => {
  const texts = text()(new MapByteStorage());
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (value) => {
      await texts.put("key", value);
      expect(await texts.get("key")).toBe(value);
    }),
  );
});

test("text is stored as UTF-8 and nothing else", async () => {
  const bytes = new MapByteStorage();
  await text()(bytes).put("key", "naïve 🙂");
  expect(textOf(await bytes.get("key"))).toBe("naïve 🙂");
});

test("a byte order mark stays where it is, and empty text is a value", async () => {
  const texts = text()(new MapByteStorage());
  for (const value of ["\uFEFFhello", ""]) {
    await texts.put("key", value);
    expect(await texts.get("key")).toBe(value);
  }
});

test("a lone surrogate and what is not text are refused", async () => {
  const texts = text()(new MapByteStorage());
  await expect(texts.put("key", "a\uD800b")).rejects.toMatchObject({
    code: "invalid-value",
    operation: "put",
    storage: "text",
    key: "key",
  });
  for (const value of [undefined, null, 1, Uint8Array.of(1)]) {
    await expect(texts.put("key", value as never)).rejects.toMatchObject({ code: "invalid-value" });
  }
});

test("bytes that are not UTF-8 are corrupt", async () => {
  const bytes = new MapByteStorage();
  await bytes.put("key", Uint8Array.of(0x61, 0xff));
  await expect(text()(bytes).get("key")).rejects.toMatchObject({ code: "corrupt", operation: "get", storage: "text", key: "key" });
  await bytes.put("key", bytesOf("fine"));
  expect(await text()(bytes).get("key")).toBe("fine");
});

test("a value that another layer wrote names the layer that is missing below", async () => {
  const bytes = new MapByteStorage();
  await bytes.put("key", Uint8Array.of(...makeHeader("encrypted", 1), 1, 2, 3));
  await expect(text()(bytes).get("key")).rejects.toThrow('through the layer "encrypted", which is missing below "text"');
});
