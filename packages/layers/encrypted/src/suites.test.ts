import { createCipheriv } from "node:crypto";
import type { Bytes } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { encrypted } from "./index.ts";
import { fillRandom } from "./random.ts";
import { gcm, hasFastAes, largeFrom, suiteByNumber, tryAes, xchacha } from "./suites.ts";
import { bytesOf, first, piecesOf, same } from "./testing/set-up.ts";

test("auto takes XChaCha20-Poly1305 for small values, and for large ones and streams what is faster here", async () => {
  const memory = memoryStorage();
  const storage = encrypted({ keys: [first] })(memory);
  const suiteOf = async (): Promise<string | undefined> => suiteByNumber(((await memory.get("a")) as Bytes)[15] as number)?.name;
  const large = hasFastAes() ? gcm.name : xchacha.name;
  for (const [size, name] of [
    [0, xchacha.name],
    [largeFrom - 1, xchacha.name],
    [largeFrom, large],
    [3_000_000, large],
  ] as const) {
    await storage.put("a", bytesOf(size));
    expect(await suiteOf()).toBe(name);
    await storage.write("a", piecesOf(bytesOf(size)));
    expect(await suiteOf()).toBe(name);
  }
});

test("AES is taken where one of a few trials finds it fast, whatever delays the others", () => {
  const trial = (aes: readonly number[], other: readonly number[]): boolean => {
    const times = { [gcm.name]: [...aes], [xchacha.name]: [...other] };
    return tryAes(({ name }) => times[name]?.shift() ?? 1000);
  };
  expect(trial([900, 50], [900, 80])).toBe(true);
  expect(trial([900, 900, 900, 900, 50], [900, 80, 85, 80, 300])).toBe(true);
  expect(trial([900, 50], [50, 50])).toBe(true);
  expect(trial([300, 310, 300, 300, 305, 300, 300, 300], [80, 80, 300, 80, 80, 80, 80, 80])).toBe(false);
  expect(hasFastAes()).toBe(hasFastAes());
});

test("a suite opens what it sealed, in place and apart, and nothing with another nonce, key or tag", () => {
  const [nonce, key] = [bytesOf(24), bytesOf(32)];
  for (const suite of [xchacha, gcm]) {
    for (const size of [0, 1, 1000]) {
      const chunk = bytesOf(size);
      const sealed = new Uint8Array(size + 16);
      suite.seal(sealed, chunk, nonce, key);
      expect(same(Buffer.concat(suite.sealApart(chunk, nonce, key)), sealed)).toBe(true);
      const output = new Uint8Array(size);
      expect(suite.open(output, sealed, nonce, key)).toBe(true);
      expect(same(output, chunk)).toBe(true);
      expect(same(suite.openApart(sealed, nonce, key), chunk)).toBe(true);
      for (const [otherNonce, otherKey] of [
        [nonce.with(0, nonce[0]! ^ 1), key],
        [nonce, key.with(31, key[31]! ^ 1)],
      ] as const) {
        const untouched = new Uint8Array(size).fill(7);
        expect(suite.open(untouched, sealed, otherNonce, otherKey)).toBe(false);
        expect(same(untouched, new Uint8Array(size).fill(7)) || same(untouched, new Uint8Array(size))).toBe(true);
        expect(suite.openApart(sealed, otherNonce, otherKey)).toBeUndefined();
      }
    }
  }
});

test("a tag of AES-GCM is never shorter than 16 bytes", () => {
  const cipher = createCipheriv("aes-256-gcm", bytesOf(32), bytesOf(12), { authTagLength: 16 });
  const body = cipher.update(bytesOf(10));
  cipher.final();
  const short = new Uint8Array(Buffer.concat([body, cipher.getAuthTag().subarray(0, 12)]));
  const nonce = new Uint8Array(24);
  nonce.set(bytesOf(12));
  expect(gcm.openApart(short, nonce, bytesOf(32))).toBeUndefined();
});

test("pooled randomness is never handed out twice, and fills all of what it is asked for", () => {
  const seen = new Set<string>();
  for (let time = 0; time < 2000; time++) {
    const target = new Uint8Array(24);
    fillRandom(target);
    seen.add(Buffer.from(target).toString("hex"));
  }
  expect(seen.size).toBe(2000);
  const counts: number[] = [];
  const many = new Uint8Array(8 * 1024);
  for (let at = 0; at < many.byteLength; at += 32) fillRandom(many.subarray(at, at + 32));
  for (const byte of many) counts[byte] = (counts[byte] ?? 0) + 1;
  expect(Math.max(...counts)).toBeLessThan(100); // 32 on the average
});
