import assert from "node:assert/strict";
import type { EntryInfo, Metadata } from "@stowage/core";
import { equal, refuses } from "../assertions.ts";
import type { ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { collect } from "../reading.ts";

const label: Metadata = Object.freeze({ "content-type": "text/plain", author: "Ada" });

export const metadata: readonly ContractPromise[] = section(3, {
  "metadata comes back with head": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    equal(of(await storage.head("key")), label);
  }),
  "metadata comes back with getEntry and getEntries": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    equal(of(await storage.getEntry("key")), label, "getEntry");
    equal(of((await storage.getEntries(["key"]))[0]), label, "getEntries");
    equal(await storage.get("key"), value(0), "The value");
  }),
  "metadata comes back with read, for a part too": needs(["metadata", "streams"], async ({ bytes, value }) => {
    await bytes.put("key", value(0) as Uint8Array, { metadata: label });
    for (const options of [{}, { start: 1, end: 3 }]) {
      const entry = await bytes.read("key", options);
      equal(of(entry), label);
      await collect(entry);
    }
  }),
  "metadata in a listing with info is what was put": needs(["metadata", "list"], async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    const found = (await storage.list({ info: true })).entries[0]?.metadata;
    if (found !== undefined) equal({ ...found }, label);
  }),
  "write keeps metadata": needs(["metadata", "streams"], async ({ bytes }) => {
    await bytes.write("key", new Blob(["text"]), { metadata: label });
    equal(of(await bytes.head("key")), label);
  }),
  "batch keeps metadata, each operation its own": needs("metadata", async ({ storage, value }) => {
    await storage.batch([
      { type: "put", key: "one", value: value(0), options: { metadata: label } },
      { type: "put", key: "other", value: value(1), options: { metadata: { author: "Grace" } } },
      { type: "put", key: "third", value: value(1) },
    ]);
    equal(of(await storage.head("one")), label, "The first");
    equal(of(await storage.head("other")), { author: "Grace" }, "The second");
    equal(of(await storage.head("third")), {}, "The third");
  }),
  "put replaces all metadata": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    await storage.put("key", value(0), { metadata: { editor: "Grace" } });
    equal(of(await storage.head("key")), { editor: "Grace" });
  }),
  "put without metadata removes it": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    await storage.put("key", value(0));
    equal(of(await storage.head("key")), {});
  }),
  "delete takes metadata with it": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: label });
    await storage.delete("key");
    await storage.put("key", value(0));
    equal(of(await storage.head("key")), {});
  }),
  "empty metadata is no metadata": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: {} });
    equal(of(await storage.head("key")), {});
  }),
  "metadata may be any text": needs("metadata", async ({ storage, value }) => {
    const texts = {
      empty: "",
      spaces: "  around  ",
      unicode: "日本 é 😀",
      percent: "a%20b+c",
      quotes: `"'\\`,
      long: "x".repeat(1000),
      number: "1",
    };
    await storage.put("key", value(0), { metadata: texts });
    equal(of(await storage.head("key")), texts);
  }),
  "names of metadata may be those that objects have": needs("metadata", async ({ storage, value }) => {
    const names = Object.fromEntries([
      ["__proto__", "one"],
      ["constructor", "two"],
      ["key", "three"],
      ["size", "four"],
      ["x-y.z_1", "five"],
    ]);
    await storage.put("key", value(0), { metadata: names });
    const found = (await storage.head("key"))?.metadata ?? {};
    equal(new Map(Object.entries(found)), new Map(Object.entries(names)));
  }),
  "names of metadata that are not lower-case ASCII words are refused": needs("metadata", async (context) => {
    const { storage, value } = context;
    for (const name of ["Upper", "", "two words", "é", "line\n", "a:b"]) {
      await refuses(context, () => storage.put("key", value(0), { metadata: { [name]: "text" } }), "invalid-option");
    }
    equal(await storage.has("key"), false, "has");
  }),
  "metadata that is not text is refused": needs("metadata", async (context) => {
    const { storage, value } = context;
    for (const wrong of [{ name: 1 }, { name: undefined }, { name: null }, { name: "lone \ud83d" }, null, "text"]) {
      await refuses(context, () => storage.put("key", value(0), { metadata: wrong as unknown as Metadata }), "invalid-option");
    }
    equal(await storage.has("key"), false, "has");
  }),
  "changing metadata after put settled changes nothing stored": needs("metadata", async ({ storage, value }) => {
    const given: Record<string, string> = { author: "Ada" };
    await storage.put("key", value(0), { metadata: given });
    given["author"] = "Eve";
    given["more"] = "text";
    equal(of(await storage.head("key")), { author: "Ada" });
  }),
  "changing metadata that head gave changes nothing stored": needs("metadata", async ({ storage, value }) => {
    await storage.put("key", value(0), { metadata: { author: "Ada" } });
    const found = (await storage.head("key"))?.metadata;
    assert.ok(found !== undefined, "head must tell the metadata.");
    Reflect.set(found, "author", "Eve");
    equal(of(await storage.head("key")), { author: "Ada" });
  }),
});

/** The metadata of an entry; nothing and an empty object mean the same. */
function of(info: EntryInfo | undefined): Record<string, string> {
  assert.ok(info !== undefined, "The entry must be there.");
  return { ...info.metadata };
}
