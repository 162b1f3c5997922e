import { crc32, StorageError } from "@stowage/core";
import { expect, test } from "vitest";
import { nameOf, packHeader, packRecord, packTrailer, RecordReader } from "./record.ts";
import type { Draft, Write } from "./write.ts";

const draft: Draft = {
  type: "put",
  key: "ä/b",
  modifiedAt: 1_700_000_000_000,
  expiresAt: 1_800_000_000_000.5,
  metadata: { author: "Ada" },
};
const value = new TextEncoder().encode("value");

/** Records that were written by the first version, which every later one must read. */
const frozen: readonly (readonly [Draft, number, string])[] = [
  [
    draft,
    7,
    "8953545706626568696e64010103040010000000070000000000000000008056febc7842000800c585317a42c3a42f627b22617574686f72223a22416461227df161202676616c756505000000000000002ff2b374",
  ],
  [
    { type: "delete", key: "gone", modifiedAt: 1_700_000_000_000, expiresAt: undefined, metadata: undefined },
    1_234_567,
    "8953545706626568696e6401020004000000000087d612000000000000008056febc78420000000000000000676f6e65d825fed100000000000000006fc6d57b",
  ],
];

function readAll(name: string, record: Uint8Array, size = record.byteLength): Write {
  const reader = new RecordReader(name);
  for (let at = 0; at < record.byteLength; at += size) reader.push(record.subarray(at, at + size));
  return reader.end();
}

test("records are as they were frozen, and are read as they were meant", () => {
  for (const [written, sequence, hex] of frozen) {
    const { record } = packRecord(written, sequence, written.type === "put" ? value : new Uint8Array(0));
    expect(Buffer.from(record).toString("hex")).toBe(hex);
    const { start, size, ...read } = readAll(nameOf(sequence), Buffer.from(hex, "hex"));
    expect(read).toMatchObject({ ...written, sequence });
    expect(Buffer.from(hex, "hex").subarray(start, start + size)).toEqual(Buffer.from(written.type === "put" ? value : []));
  }
});

test("a record is read the same however it is cut", () => {
  const { record, write } = packRecord(draft, 7, value);
  for (const size of [1, 2, 3, 11, 45, 1_000]) {
    const read = readAll(nameOf(7), record, size);
    expect(read).toEqual({ ...write, value: undefined });
  }
});

test("any damaged bit of a record, and any end before its end, is an error that names the record", () => {
  const { record } = packRecord(draft, 7, value);
  for (let at = 0; at < record.byteLength; at++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      const changed = record.slice();
      changed[at]! ^= bit;
      expect(() => readAll(nameOf(7), changed), `bit ${bit} of byte ${at}`).toThrow(StorageError);
    }
    expect(() => readAll(nameOf(7), record.subarray(0, at)), `${at} bytes`).toThrow(/0000000000000007/);
  }
  expect(() => readAll(nameOf(7), new Uint8Array([...record, 0]))).toThrow(/0000000000000007/);
  expect(() => readAll(nameOf(8), record)).toThrow(/another name/);
});

test("a record of a later version says that this package is too old", () => {
  const changed = packRecord(draft, 7, value).record.slice();
  changed[11] = 2;
  expect(() => readAll(nameOf(7), changed)).toThrow(expect.objectContaining({ code: "unsupported" }));
});

test("a delete that has a value is no record, although its checksums are right", () => {
  const header = packHeader({ ...draft, type: "delete" }, 7);
  const trailer = packTrailer(value.byteLength, crc32(value, crc32(header)));
  expect(() => readAll(nameOf(7), new Uint8Array([...header, ...value, ...trailer]))).toThrow(/it deletes and has a value/);
});
