import { expect, test } from "vitest";
import { allCapabilities, HandClock } from "../../test/map-storage.ts";
import type { Capabilities } from "./contract.ts";
import {
  checkBatch,
  checkDeleteOptions,
  checkListOptions,
  checkPutOptions,
  checkReadOptions,
  isExpired,
  withExpiries,
  withExpiry,
} from "./options.ts";

const clock = new HandClock();
const able = { name: "able", capabilities: allCapabilities };
const unable = (lack: Partial<Capabilities>): typeof able => ({ name: "unable", capabilities: { ...allCapabilities, ...lack } });
const refusal = (code: string): unknown => expect.objectContaining({ code });

test("a ttl becomes the moment of expiry, and other options stay as they are", () => {
  const metadata = { a: "b" };
  expect(withExpiry({ ttl: 1_000, metadata }, clock)).toEqual({ expiresAt: clock.now() + 1_000, metadata });
  const untouched = { expiresAt: 5, metadata };
  expect(withExpiry(untouched, clock)).toBe(untouched);
  expect(withExpiry(undefined, clock)).toBeUndefined();
});

test("a ttl or a moment of expiry that makes no sense is refused", () => {
  for (const time of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5" as never, null as never]) {
    expect(() => withExpiry({ ttl: time }, clock)).toThrow(refusal("invalid-option"));
    expect(() => withExpiry({ expiresAt: time }, clock)).toThrow(refusal("invalid-option"));
    expect(() => checkPutOptions({ ttl: time }, able, "put")).toThrow(refusal("invalid-option"));
  }
  expect(() => withExpiry({ ttl: 1, expiresAt: 1 }, clock)).toThrow("either ttl or expiresAt");
});

test("the operations of a batch are the same array where there is no ttl", () => {
  const plain = [{ type: "put", key: "a", value: 1, options: { expiresAt: 5 } }] as const;
  expect(withExpiries(plain, clock)).toBe(plain);
  expect(withExpiries([...plain, { type: "put", key: "b", value: 2, options: { ttl: 10 } }], clock)).toEqual([
    plain[0],
    { type: "put", key: "b", value: 2, options: { expiresAt: clock.now() + 10 } },
  ]);
});

test("nothing is served at its expiry or after it", () => {
  expect([undefined, clock.now() + 1, clock.now(), clock.now() - 1].map((at) => isExpired(at, clock))).toEqual([false, false, true, true]);
});

test("put options that make no sense are refused", () => {
  const bad: unknown[] = [
    { metadata: "text" },
    { metadata: ["a"] },
    { metadata: { Upper: "a" } },
    { metadata: { "": "a" } },
    { metadata: { a: 1 } },
    { metadata: { a: "\uD800" } },
    { ifMatch: 1 },
    { ifNoneMatch: "etag" },
    { ifMatch: "1", ifNoneMatch: "*" },
    { size: -1 },
    { size: 1.5 },
  ];
  for (const options of bad) expect(() => checkPutOptions(options as never, able, "write")).toThrow(refusal("invalid-option"));
  checkPutOptions({ metadata: { "content-type": "text/plain", a: "" }, ifMatch: "1", size: 0 }, able, "write");
});

test("put options that the storage cannot honour are unsupported", () => {
  expect(() => checkPutOptions({ ttl: 1 }, unable({ ttl: false }), "put")).toThrow(refusal("unsupported"));
  expect(() => checkPutOptions({ expiresAt: 1 }, unable({ ttl: false }), "put")).toThrow(refusal("unsupported"));
  expect(() => checkPutOptions({ metadata: {} }, unable({ metadata: false }), "put")).toThrow(refusal("unsupported"));
  expect(() => checkPutOptions({ ifNoneMatch: "*" }, unable({ conditions: ["replace"] }), "put")).toThrow(refusal("unsupported"));
  expect(() => checkPutOptions({ ifMatch: "1" }, unable({ conditions: ["create"] }), "put")).toThrow(refusal("unsupported"));
  expect(() => checkPutOptions({ ifMatch: "1" }, unable({ conditions: ["replace"] }), "write")).toThrow(refusal("unsupported"));
});

test("delete options are checked like those of a put", () => {
  checkDeleteOptions(undefined, unable({ conditions: [] }));
  expect(() => checkDeleteOptions({ ifMatch: "1" }, unable({ conditions: ["replace"] }))).toThrow(refusal("unsupported"));
  expect(() => checkDeleteOptions({ ifMatch: 1 as never }, able)).toThrow(refusal("invalid-option"));
});

test("read options that make no sense are refused", () => {
  checkReadOptions({ start: -5, end: 10, ifMatch: "1" }, able);
  for (const options of [{ start: 1.5 }, { end: Number.NaN }, { start: "1" }, { ifMatch: 1 }]) {
    expect(() => checkReadOptions(options as never, able)).toThrow(refusal("invalid-option"));
  }
});

test("list options that make no sense are refused", () => {
  const bad: unknown[] = [
    { limit: 0 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { prefix: 1 },
    { prefix: "\uD83D" },
    { delimiter: "" },
    { startAfter: {} },
    { cursor: "a", startAfter: "b" },
  ];
  for (const options of bad) expect(() => checkListOptions(options as never, able)).toThrow(refusal("invalid-option"));
  checkListOptions({ prefix: "", delimiter: "/", startAfter: "", limit: 1 }, able);
});

test("list options that the storage cannot honour are unsupported", () => {
  expect(() => checkListOptions(undefined, unable({ list: "none" }))).toThrow(refusal("unsupported"));
  expect(() => checkListOptions({ delimiter: "/" }, unable({ list: "unordered" }))).toThrow(refusal("unsupported"));
  expect(() => checkListOptions({ startAfter: "a" }, unable({ list: "unordered" }))).toThrow(refusal("unsupported"));
  checkListOptions({ prefix: "a", cursor: "b" }, unable({ list: "unordered" }));
});

test("a batch with conditions must be atomic, and atomic must be supported", () => {
  const conditional = [{ type: "put", key: "a", value: 1, options: { ifNoneMatch: "*" } }] as const;
  expect(() => checkBatch(conditional, {}, able)).toThrow(refusal("invalid-option"));
  expect(() => checkBatch(conditional, { atomic: true }, able)).toThrow(refusal("unsupported"));
  checkBatch(conditional, { atomic: true }, unable({ atomicBatch: true }));
  expect(() => checkBatch([{ type: "drop", key: "a" } as never], {}, able)).toThrow(refusal("invalid-option"));
});
