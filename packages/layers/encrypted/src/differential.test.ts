import { argon2id as independent } from "hash-wasm";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { encrypted } from "./index.ts";
import { argon2id } from "./sodium.ts";
import { readByTheDocument, writeByTheDocument } from "./testing/by-the-document.ts";
import type { Agreed } from "./testing/by-the-document.ts";
import { bytesOf, first, piecesOf, same, second, secretOf } from "./testing/set-up.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
const agreed: Agreed = { keys: { [first.id]: first.secret, [second.id]: second.secret }, context: "test", name: "users/ada" };

for (const [suite, number] of [
  ["xchacha20-poly1305", 1],
  ["aes-256-gcm", 2],
] as const) {
  test(`${suite}: what one implementation writes, the other reads`, async () => {
    const memory = memoryStorage();
    const storage = encrypted({ keys: [first, second], suite, context: "test" })(memory);
    const sizes = Array.from({ length: full ? 600 : 60 }, (_, index) => Math.floor(1.5 ** (index % 20)) + index);
    for (const size of [...sizes, 0, 65_535, 65_536, 65_537, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 ** 21, 2_500_000]) {
      const value = bytesOf(size);
      await storage.put(agreed.name, value);
      expect(same(readByTheDocument((await memory.get(agreed.name)) as Uint8Array, agreed), value)).toBe(true);
      await storage.write(agreed.name, piecesOf(value, 1 + ((size * 7) % 300_000)));
      expect(same(readByTheDocument((await memory.get(agreed.name)) as Uint8Array, agreed), value)).toBe(true);
      const [dataKey, nonce] = [crypto.getRandomValues(new Uint8Array(32)), crypto.getRandomValues(new Uint8Array(24))];
      await memory.put(agreed.name, writeByTheDocument(value, agreed, { keyId: second.id, suite: number, dataKey, nonce }));
      expect(same(await storage.get(agreed.name), value)).toBe(true);
    }
  });
}

test("Argon2id gives the key that another implementation gives", async () => {
  for (const [memory, passes, passphrase] of [
    [64, 2, "correct horse battery staple"],
    [64, 3, "Пароль 日本 😀"],
    ...(full ? ([[96, 4, "x"]] as const) : []),
  ] as const) {
    const salt = bytesOf(16);
    const expected = await independent({
      password: passphrase,
      salt,
      parallelism: 1,
      iterations: passes,
      memorySize: memory * 1024,
      hashLength: 32,
      outputType: "binary",
    });
    const key = await argon2id(new TextEncoder().encode(passphrase), salt, memory * 2 ** 20, passes);
    expect(same(key, expected)).toBe(true);
    const below = memoryStorage();
    await encrypted({ keys: [{ id: "pass", passphrase, salt, memory: memory * 2 ** 20, passes }] })(below).put("a", bytesOf(100));
    expect(
      same(readByTheDocument((await below.get("a")) as Uint8Array, { keys: { pass: expected }, context: "", name: "a" }), bytesOf(100)),
    ).toBe(true);
  }
});

test("negative control: the independent reader refuses another key", async () => {
  const memory = memoryStorage();
  await encrypted({ keys: [first] })(memory).put("a", bytesOf(100));
  const stored = (await memory.get("a")) as Uint8Array;
  expect(() => readByTheDocument(stored, { keys: { [first.id]: secretOf(9) }, context: "", name: "a" })).toThrow("wrong-key");
});
