import { behind } from "@stowage/behind";
import { cached } from "@stowage/cached";
import { composite } from "@stowage/composite";
import { compressed } from "@stowage/compressed";
import type { AnyStorage, ByteStorage } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { encrypted } from "@stowage/encrypted";
import { envelope } from "@stowage/envelope";
import { events } from "@stowage/events";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { metrics } from "@stowage/metrics";
import { retry } from "@stowage/retry";
import { expect, test } from "vitest";
import { lint } from "./lint.ts";

// Nothing here is opened: making a storage does no I/O.
const disk = (directory: string) => fileStorage({ directory });
const keys = [{ id: "first", secret: new Uint8Array(32).fill(1) }];
const codesOf = (storage: AnyStorage): string[] => lint(storage).map(({ code }) => code);

test("the real packages in the canonical order have nothing to mend", () => {
  const storage = stack(
    disk("/a"),
    behind({ journal: disk("/journal") }),
    retry(),
    encrypted({ keys }),
    envelope(),
    compressed(),
    json<string>(),
    cached(),
    metrics(),
    events(),
  );
  expect(codesOf(storage)).toEqual(["plaintext-in-memory"]);
});

test("a journal or a store on a disk above encryption, not encrypted itself, is found", () => {
  expect(codesOf(stack(disk("/a"), encrypted({ keys }), behind({ journal: disk("/journal") })))).toEqual(["plaintext-leaves"]);
  const store = stack(disk("/store"), envelope());
  expect(codesOf(stack(disk("/a"), encrypted({ keys }), cached({ store })))).toEqual(["plaintext-leaves", "plaintext-in-memory"]);
  const sealed = stack(disk("/store"), encrypted({ keys }), envelope());
  expect(codesOf(stack(disk("/a"), encrypted({ keys }), cached({ store: sealed })))).toEqual(["plaintext-in-memory"]);
});

test("a cache whose store is the folder below is found", () => {
  const store = stack(disk("/a"), envelope());
  expect(codesOf(stack(disk("/a"), envelope(), cached({ store })))).toContain("cache-of-itself");
});

test("replicas that encrypt for themselves, and replicas below one encryption, are explained", () => {
  const sealed = (): ByteStorage => stack(memoryStorage(), encrypted({ keys }), envelope());
  expect(codesOf(composite({ replicas: { one: sealed(), two: sealed() } }))).toEqual(["composite-above-encryption"]);
  const replicas = { one: memoryStorage(), two: memoryStorage() };
  expect(codesOf(stack(composite({ replicas }), encrypted({ keys })))).toEqual(["composite-below-encryption"]);
});
