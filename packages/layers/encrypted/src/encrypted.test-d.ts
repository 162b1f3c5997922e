import type { ByteLayer, ByteStorage } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expectTypeOf, test } from "vitest";
import { encrypted, rewrite } from "./index.ts";
import type { RewriteProgress } from "./index.ts";

const secret = new Uint8Array(32);

test("it is a layer over bytes, which gives bytes", () => {
  expectTypeOf(encrypted({ keys: [{ id: "a", secret }] })).toEqualTypeOf<ByteLayer>();
  expectTypeOf(stack(memoryStorage(), encrypted({ keys: [{ id: "a", secret }] }))).toExtend<ByteStorage>();
});

test("it does not stand above a codec", () => {
  // @ts-expect-error this layer works on bytes
  stack(memoryStorage(), json<string>(), encrypted({ keys: [{ id: "a", secret }] }));
});

test("keys must be given, each with an id, and a secret or a passphrase with its salt", () => {
  // @ts-expect-error keys are missing
  encrypted({});
  // @ts-expect-error the id is missing
  encrypted({ keys: [{ secret }] });
  // @ts-expect-error the secret is missing
  encrypted({ keys: [{ id: "a" }] });
  // @ts-expect-error the salt is missing
  encrypted({ keys: [{ id: "a", passphrase: "text" }] });
  // @ts-expect-error a text is no key
  encrypted({ keys: [{ id: "a", secret: "text" }] });
  encrypted({
    keys: [
      { id: "a", secret: async () => secret },
      { id: "b", secret: { fromEnv: "B" } },
      { id: "c", passphrase: "text", salt: "00" },
    ],
  });
});

test("any storage can be rewritten", () => {
  expectTypeOf(rewrite(stack(memoryStorage(), json<string>()))).toEqualTypeOf<Promise<RewriteProgress>>();
});
