import { expect, test } from "vitest";
import type { KnownVersion, RecordChange } from "./record-changes.ts";
import { everyMade, firstRefused, keptRecord } from "./record-changes.ts";

const record = new Uint8Array([1]);
const stored = new Map<string, KnownVersion>([
  ["there", { etag: "1" }],
  ["expired", { etag: "2", expiresAt: 100 }],
]);
const put = (key: string, rest: Partial<RecordChange> = {}): RecordChange => ({ key, record, etag: "new", ...rest });
const remove = (key: string, ifMatch?: string): RecordChange => ({ key, record: undefined, ifMatch });
const refused = (...changes: RecordChange[]): number => firstRefused(changes, 100, (key) => stored.get(key));

test("a condition holds or it does not, and what has expired is not there", () => {
  expect(refused(put("there", { ifMatch: "1" }))).toBe(everyMade);
  expect(refused(put("there", { ifMatch: "2" }))).toBe(0);
  expect(refused(put("there", { ifNoneMatch: "*" }))).toBe(0);
  expect(refused(put("new", { ifNoneMatch: "*" }))).toBe(everyMade);
  expect(refused(put("new", { ifMatch: "1" }))).toBe(0);
  expect(refused(put("expired", { ifNoneMatch: "*" }))).toBe(everyMade);
  expect(refused(remove("expired", "2"))).toBe(0);
  expect(refused(remove("there", "1"))).toBe(everyMade);
});

test("each change of a set is held against what is there after those before it", () => {
  expect(refused(remove("there"), put("there", { ifNoneMatch: "*" }))).toBe(everyMade);
  expect(refused(put("a", { etag: "x" }), put("a", { ifMatch: "x" }))).toBe(everyMade);
  expect(refused(put("a"), put("b"), put("a", { ifNoneMatch: "*" }))).toBe(2);
  expect(refused(put("a", { expiresAt: 100 }), put("a", { ifNoneMatch: "*" }))).toBe(everyMade);
});

test("a record that has expired before it is kept is not kept", () => {
  expect(keptRecord(put("a", { expiresAt: 101 }), 100)).toBe(record);
  expect(keptRecord(put("a", { expiresAt: 100 }), 100)).toBeUndefined();
  expect(keptRecord(remove("a"), 100)).toBeUndefined();
});
