import { expect, test } from "vitest";
import { expiryOf, infoOfRecord, packRecord, valueStart } from "./record.ts";
import type { RecordVersion } from "./record.ts";

const value = new Uint8Array([1, 2, 3]);
const versions: RecordVersion[] = [
  { etag: "e", modifiedAt: 1_700_000_000_000 },
  { etag: "", modifiedAt: 0.5, expiresAt: 1_800_000_000_000.25 },
  { etag: "x".repeat(255), modifiedAt: 1, metadata: { "content-type": "text/plain", größe: "ß" } },
  { etag: "abc-1", modifiedAt: 2, expiresAt: 3, metadata: { a: "" } },
];

test.each(versions)("a record says what was put into it: %j", (version) => {
  for (const bytes of [value, new Uint8Array(0)]) {
    const record = packRecord(version, bytes);
    expect(infoOfRecord(record, "test", "key")).toEqual({ key: "key", size: bytes.byteLength, ...version });
    expect(expiryOf(record)).toBe(version.expiresAt);
    expect(record.subarray(valueStart(record, "test", "key"))).toEqual(bytes);
  }
});

test("the bytes of a record are those of its description", () => {
  const record = packRecord({ etag: "e1", modifiedAt: 1, expiresAt: 2, metadata: { a: "b" } }, value);
  expect(Buffer.from(record).toString("hex")).toBe(
    ["0103", "3ff0000000000000", "4000000000000000", "026531", "00000009", Buffer.from('{"a":"b"}').toString("hex"), "010203"].join(""),
  );
});

test("records leave one another as they are, however many are packed and however large they are", () => {
  const values = Array.from({ length: 300 }, (_, index) => new Uint8Array((index * 97) % 9_000).fill(index));
  const records = values.map((bytes, index) => packRecord(versions[index % versions.length]!, bytes));
  for (const [index, record] of records.entries()) {
    expect(infoOfRecord(record, "test", "key")).toMatchObject(versions[index % versions.length]!);
    expect(record.subarray(valueStart(record, "test", "key"))).toEqual(values[index]);
  }
});

test("a record may begin anywhere in its memory", () => {
  const record = packRecord(versions[3]!, value);
  const memory = new Uint8Array(record.byteLength + 20).fill(0xff);
  memory.set(record, 7);
  const view = memory.subarray(7, 7 + record.byteLength);
  expect(infoOfRecord(view, "test", "key")).toEqual(infoOfRecord(record, "test", "key"));
  expect(expiryOf(view)).toBe(3);
});

test("a record that was cut anywhere before its value is corrupt, and never taken for expired", () => {
  for (const version of versions) {
    const record = packRecord(version, value);
    const start = valueStart(record, "test", "key");
    for (let length = 0; length < start; length++) {
      const cut = record.slice(0, length);
      expect(() => infoOfRecord(cut, "test", "key"), `${length} of ${start}`).toThrow(expect.objectContaining({ code: "corrupt" }));
      expect([undefined, version.expiresAt]).toContain(expiryOf(cut));
    }
  }
});

test("what is no record, or one of a later version, is refused in words and with the key beside them", () => {
  const record = packRecord(versions[3]!, value);
  const metadataAt = 10 + 8 + 1 + 5 + 4;
  const hostile: [(bytes: Uint8Array) => void, string][] = [
    [(bytes) => (bytes[0] = 0), "corrupt"],
    [(bytes) => (bytes[0] = 2), "unsupported"],
    [(bytes) => (bytes[1] = 4), "corrupt"],
    [(bytes) => (bytes[18] = 255), "corrupt"],
    [(bytes) => bytes.fill(0xff, metadataAt - 4, metadataAt), "corrupt"],
    [(bytes) => (bytes[metadataAt] = 0xff), "corrupt"],
    [(bytes) => bytes.set(Buffer.from("[      ]"), metadataAt), "corrupt"],
    [(bytes) => bytes.set(Buffer.from('{"a":17}'), metadataAt), "corrupt"],
    [(bytes) => bytes.set(Buffer.from("null    "), metadataAt), "corrupt"],
  ];
  for (const [spoil, code] of hostile) {
    const bytes = record.slice();
    spoil(bytes);
    expect(() => infoOfRecord(bytes, "test", "the key"), String(spoil)).toThrow(
      expect.objectContaining({ code, key: "the key", storage: "test", message: expect.not.stringContaining("the key") }),
    );
  }
});
