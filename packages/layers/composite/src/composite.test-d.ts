import type { ByteStorage } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expectTypeOf, test } from "vitest";
import { composite } from "./index.ts";

const bytes = memoryStorage();
const values = stack(memoryStorage(), json<{ name: string }>());

test("a composite stands on storages of bytes and is one", () => {
  expectTypeOf(composite({ replicas: { a: bytes } })).toEqualTypeOf<ByteStorage>();
  expectTypeOf(composite({ replicas: [{ name: "a", storage: bytes }] })).toEqualTypeOf<ByteStorage>();
  // @ts-expect-error the codec stands above it
  composite({ replicas: { a: values } });
  // @ts-expect-error a name for each
  composite({ replicas: [bytes] });
});

test("policies are words, or a quorum with its number", () => {
  composite({ replicas: { a: bytes }, write: "all", read: "fastest" });
  composite({ replicas: { a: bytes }, write: { quorum: 1 }, read: { quorum: 1 } });
  // @ts-expect-error no such word
  composite({ replicas: { a: bytes }, write: "most" });
  // @ts-expect-error a quorum has a number
  composite({ replicas: { a: bytes }, read: { quorum: "majority" } });
});
