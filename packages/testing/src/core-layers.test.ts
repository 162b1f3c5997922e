import type { Bytes, Storage } from "@stowage/core";
import { borrowed, json, limited, prefixed, readOnly, stack, text } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import * as fc from "fast-check";
import { anyText } from "./contract/property.ts";
import { expect, test } from "vitest";
import { describeCodec, describeLayer } from "./contract.ts";
import { mockStorage } from "./mock-storage.ts";

const people = [{ name: "Ada", born: 1815 }, { name: "Grace", tags: ["admiral"] }, ["a", "list", null, 1.5]];

describeLayer("prefixed", {
  create: (inner, { clock }) => prefixed("users/", { clock })(inner),
  documented: { key: (key) => `users/${key}` },
});

describeLayer<Storage<unknown>>("prefixed over values", {
  inner: ({ clock }) => memoryStorage<unknown>({ values: "any", clock }),
  create: (inner, { clock }) => prefixed("users/", { clock })(inner),
  values: people,
  documented: { key: (key) => `users/${key}` },
});

describeLayer("limited", {
  create: (inner, { clock }) => limited({ maxSize: 10_000_000, timeout: 1_000_000, clock })(inner),
});

describeLayer("limited to some keys", {
  create: (inner, { clock }) => limited({ keys: ["**"], clock })(inner),
  documented: { calls: ["clear"] },
});

describeLayer("borrowed", {
  create: (inner, { clock }) => borrowed({ clock })(inner),
  documented: { staysOpen: true },
});

describeLayer("readOnly", {
  create: (inner) => readOnly()(inner),
  documented: { refuses: { operations: ["put", "delete", "batch", "clear", "write"], code: "read-only" } },
});

describeLayer("json", { create: (inner, { clock }) => json(undefined, { clock })(inner), values: people, documented: { values: true } });
describeLayer("text", {
  create: (inner, { clock }) => text({ clock })(inner),
  values: ["first", "", "日本 é 😀"],
  documented: { values: true },
});

describeCodec("json", {
  create: () => json<unknown>(),
  arbitrary: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  corrupt: [Uint8Array.of(0xff, 0xfe, 0xfd), bytes("{"), bytes("nothing"), bytes('{"a":1}}'), bytes("")],
  refused: [() => {}, Symbol("name"), 1n],
});
describeCodec("text", {
  create: () => text(),
  arbitrary: fc.oneof(fc.constant(""), anyText, fc.string()),
  refused: [1, null, {}, "lone \ud83d"],
});

test("what is put through layers that were given no clock expires by the clock of the storage below", async () => {
  const mock = mockStorage();
  const storage = stack(mock, borrowed(), prefixed("a/"), limited({ maxSize: 100 }), text(), limited({ timeout: 60_000 }));
  await storage.put("key", "value", { ttl: 1_000 });
  await storage.batch([{ type: "put", key: "other", value: "value", options: { ttl: 1_000 } }]);
  expect((await storage.head("key"))?.expiresAt).toBe(mock.clock.now() + 1_000);
  await mock.clock.advance(999);
  expect(await storage.get("key")).toBe("value");
  await mock.clock.advance(1);
  expect([await storage.get("key"), await storage.get("other")]).toEqual([undefined, undefined]);
});

function bytes(content: string): Bytes {
  return new TextEncoder().encode(content);
}
